"""Adapters of HF PEFT and fine-tuned networks through `pdora adapter import` and `fuse`, and ONNX models of
`pdora base export-onnx`: each against the forward pass of the network it came from.
"""

import json
import os
import subprocess

import nibabel
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import PROJECT, WINDOW, make_task
from monai.networks.nets import SwinUNETR
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from pdora import load_adapter, load_base, new_head, save_adapter
from pdora.selftest import selftest_miss

NODE = PROJECT / "node_modules" / ".bin" / "node"
HEAD = "out.conv.conv"
LINEAR = ["qkv", "linear1", "linear2", "reduction"]
LABELS = ["background", "left", "right"]
INPUT = torch.randn(1, 1, *WINDOW, generator=torch.Generator().manual_seed(11))
TARGET = torch.randint(0, 3, (1, *WINDOW), generator=torch.Generator().manual_seed(12))


def pdora(*arguments) -> subprocess.CompletedProcess[str]:
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")
    command = [NODE, PROJECT / "cli" / "pdora.ts", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)


def done(*arguments) -> str:
    run = pdora(*arguments)
    assert run.returncode == 0, run.stderr + run.stdout
    return run.stdout


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(LABELS))
    return path


def train(model: torch.nn.Module, steps: int = 2) -> None:
    """A few real steps, large enough that every trained tensor moves away from its start."""
    torch.manual_seed(2)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-2)
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        found = model(INPUT)
        torch.nn.functional.cross_entropy(found, TARGET % found.shape[1]).backward()
        optimiser.step()
    model.eval()


@torch.no_grad()
def logits(model: torch.nn.Module) -> torch.Tensor:
    return model.eval()(INPUT)


def fused(path, classes: int = 3) -> SwinUNETR:
    """MONAI's own network with the file as its state dict, every key of it."""
    model = SwinUNETR(in_channels=1, out_channels=classes, feature_size=12, downsample="merging")
    model.load_state_dict(load_file(path), strict=True)
    return model.eval()


def agree(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-3 * max(1, float(expected.abs().max()))


def served(folder, base_file, adapter) -> torch.Tensor:
    """The runner's log-probabilities of INPUT, one window that is left as it is."""
    nibabel.save(nibabel.Nifti1Image(INPUT[0, 0].numpy(), np.eye(4)), folder / "image.nii.gz")
    out = folder / "probabilities.nii.gz"
    models = ["--local", "--base", base_file, "--adapter", adapter]
    done("segment", folder / "image.nii.gz", *models, "-o", folder / "labels.nii.gz", "--probabilities", out)
    return torch.from_numpy(np.asarray(nibabel.load(out).dataobj).astype(np.float32)).movedim(-1, 0)[None].log()


PLAIN = {"preprocessing": {"orientation": None, "spacing": None, "intensity": {"kind": "none"}}}

PEFT = {
    "lora": {"r": 4, "lora_alpha": 8},
    "rslora-patterns": {
        "r": 4,
        "lora_alpha": 8,
        "use_rslora": True,
        "rank_pattern": {"layers2.*qkv": 3, "linear1": 2, "qkv": 5},
        "alpha_pattern": {r"layers[34]\.0\.blocks\.\d+\.attn\.qkv": 20, "linear1": 1},
    },
    "dora": {"r": 4, "lora_alpha": 8, "use_dora": True},
    "pissa": {"r": 4, "lora_alpha": 4, "init_lora_weights": "pissa"},
    "pissa-niter-rslora": {"r": 4, "lora_alpha": 6, "init_lora_weights": "pissa_niter_16", "use_rslora": True},
    # The rank is more than the smaller side of the first stage's layers.
    "convolutions": {"r": 16, "lora_alpha": 8, "target_modules": [*LINEAR, "conv1.conv", "conv3.conv"]},
    "convolutions-dora": {"r": 2, "lora_alpha": 8, "use_dora": True, "target_modules": ["conv2.conv", "qkv"]},
}


def peft_model(base_file, folder, settings, classes=3):
    """A trained PEFT model on the base's network, and its folder; `initial` beside it holds it before training."""
    torch.manual_seed(1)
    network = load_base(base_file).model
    if classes != 2:
        new_head(network, classes)
    config = LoraConfig(**{"target_modules": LINEAR, "modules_to_save": [HEAD]} | settings)
    model = get_peft_model(network, config)
    start = config.init_lora_weights
    # As PEFT's documentation has it, so that loading the start does not decompose the base again.
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(folder / "initial")
    model.peft_config["default"].init_lora_weights = start
    train(model)
    model.save_pretrained(folder / "trained")
    return model


@pytest.mark.parametrize("name", PEFT)
def test_what_peft_trained_gives_pefts_own_logits(tmp_path, base_file, labels, name):
    model = peft_model(base_file, tmp_path, PEFT[name])
    initial = ["--initial", tmp_path / "initial"] if name.startswith("pissa") else []
    (tmp_path / "manifest.json").write_text(json.dumps(PLAIN))
    adapter, out = tmp_path / "adapter.safetensors", tmp_path / "fused.safetensors"
    about = ["--name", "peft", "--labels", labels, "--manifest", tmp_path / "manifest.json"]
    done("adapter", "import", tmp_path / "trained", "--base", base_file, "-o", adapter, *about, *initial)
    done("adapter", "fuse", adapter, "--base", base_file, "-o", out)

    expected = logits(model)
    with model.disable_adapter():
        assert (logits(model) - expected).abs().max() > 0.03 * expected.abs().max()
    agree(logits(fused(out)), expected)
    read = load_adapter(adapter, load_base(base_file))
    agree(logits(read.model), expected)
    # Made by the runner, met by PyTorch.
    assert selftest_miss(read.model, 1, read.manifest["selftest"]) < 1
    if name in ("dora", "pissa"):
        done("adapter", "check", adapter, "--base", base_file)
        agree(served(tmp_path, base_file, adapter), expected.log_softmax(1))


def test_converted_pissa_is_plain_lora(tmp_path, base_file):
    settings = {"r": 4, "lora_alpha": 4, "init_lora_weights": "pissa", "modules_to_save": None}
    model = peft_model(base_file, tmp_path, settings, classes=2)
    expected = logits(model)
    model.save_pretrained(tmp_path / "converted", path_initial_model_for_weight_conversion=str(tmp_path / "initial"))
    adapter, out = tmp_path / "adapter.safetensors", tmp_path / "fused.safetensors"
    done("adapter", "import", tmp_path / "converted", "--base", base_file, "-o", adapter, "--name", "converted")
    done("adapter", "fuse", adapter, "--base", base_file, "-o", out)
    agree(logits(fused(out, 2)), expected)
    read = load_adapter(adapter, load_base(base_file))
    assert {(target["method"], target.get("rank")) for target in read.manifest["targets"]} == {("lora", 8)}
    # The head is the base's, and so is all that the weights cannot tell.
    assert read.task.labels == load_base(base_file).task.labels
    assert read.task.preprocessing == load_base(base_file).task.preprocessing


def test_unconverted_pissa_and_a_conversion_that_lost_the_head_are_refused(tmp_path, base_file, labels):
    model = peft_model(base_file, tmp_path, PEFT["pissa"])
    into = ["--base", base_file, "-o", tmp_path / "adapter.safetensors", "--name", "pissa", "--labels", labels]
    refused = pdora("adapter", "import", tmp_path / "trained", *into)
    assert refused.returncode == 1
    assert "path_initial_model_for_weight_conversion" in refused.stderr
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(tmp_path / "disguised")
    disguised = pdora("adapter", "import", tmp_path / "disguised", *into)
    assert disguised.returncode == 1
    assert "as PiSSA begins" in disguised.stderr
    model.save_pretrained(tmp_path / "converted", path_initial_model_for_weight_conversion=str(tmp_path / "initial"))
    lost = pdora("adapter", "import", tmp_path / "converted", *into)
    assert lost.returncode == 1
    assert f"modules_to_save names {HEAD}" in lost.stderr
    assert not (tmp_path / "adapter.safetensors").exists()


def test_a_fine_tuned_network_is_imported_and_comes_back_as_it_was(tmp_path, base_file, labels):
    """Part of it low-rank in truth: a merged LoRA; part of it dense."""
    torch.manual_seed(4)
    network = new_head(load_base(base_file).model, 3)
    dense = "swinViT.layers4.0.blocks.1.mlp.linear2.weight"
    trained = [dense, "decoder1.conv_block.conv1.conv.weight", "encoder1.layer.conv2.conv.weight", HEAD]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(trained)))
    train(network)
    model = get_peft_model(network, LoraConfig(r=4, lora_alpha=8, target_modules=["qkv"]))
    train(model)
    merged = model.merge_and_unload().eval()
    tuned, adapter, out = (tmp_path / f"{name}.safetensors" for name in ("tuned", "adapter", "fused"))
    save_file({name: tensor.contiguous() for name, tensor in merged.state_dict().items()}, tuned)

    done("adapter", "import", tuned, "--base", base_file, "-o", adapter, "--labels", labels)
    done("adapter", "fuse", adapter, "--base", base_file, "-o", out)
    agree(logits(fused(out)), logits(merged))
    read = load_adapter(adapter, load_base(base_file)).manifest
    assert {(t["method"], t["rank"]) for t in read["targets"] if t["parameter"].endswith("qkv.weight")} == {("lora", 4)}
    assert [t["method"] for t in read["targets"] if t["parameter"] == dense] == ["delta"]
    assert len(read["targets"]) == 9
    assert sorted(read["replaced"]) == sorted([*trained[1:3], f"{HEAD}.weight", f"{HEAD}.bias"])
    before, after = load_file(tuned), load_file(out)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype
        if tensor.is_floating_point():
            assert (tensor - after[name]).norm() <= 3e-5 * tensor.norm(), name
        else:
            assert torch.equal(tensor, after[name]), name


@pytest.mark.parametrize("with_adapter", [False, True], ids=["base", "adapter"])
def test_an_exported_model_runs_in_plain_onnxruntime(tmp_path, base_file, trained, with_adapter):
    task = make_task("deep", 3)
    saved = save_adapter(trained, tmp_path / "adapter.safetensors", base=load_base(base_file), task=task)
    model = saved.model if with_adapter else load_base(base_file).model
    adapter = ["--adapter", saved.path] if with_adapter else []
    out = tmp_path / "model.onnx"
    window = ["--window", "64,32,32"] if with_adapter else []
    done("base", "export-onnx", "--base", base_file, *adapter, "-o", out, *window)
    onnx.checker.check_model(str(out), full_check=True)

    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert [put.name for put in session.get_inputs()] == ["image"]
    x = INPUT.permute(0, 1, 4, 3, 2).contiguous() if with_adapter else INPUT
    with torch.no_grad():
        expected = model(x)
    (found,) = session.run(None, {"image": x.numpy()})
    agree(torch.from_numpy(found), expected)
    assert json.loads(session.get_modelmeta().custom_metadata_map["pdora.manifest"])["labels"]
