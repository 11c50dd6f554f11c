import os
import pickle

import pytest
import torch

from pdora import build_network, load_checkpoint


@pytest.fixture(scope="module")
def original(architecture):
    torch.manual_seed(9)
    return build_network(architecture)


def saved(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def prefixed(prefix, weights):
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


FORMS = {
    "bundle": lambda weights: weights,
    "under model_state_dict": lambda weights: {"model_state_dict": weights, "epoch": 3},
    "under model": lambda weights: {"model": weights},
    "published": lambda weights: {"epoch": 3, "best_acc": 0.9, "state_dict": weights},
    "data parallel": lambda weights: {"state_dict": prefixed("module.", weights)},
    "wrapped twice": lambda weights: prefixed("module.backbone.", weights),
    "lightning": lambda weights: {"state_dict": prefixed("model.", weights)},
    "before MONAI 0.9": lambda weights: {
        name.replace("linear1", "fc1").replace("linear2", "fc2"): tensor for name, tensor in weights.items()
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_loads(tmp_path, original, architecture, form):
    checkpoint = load_checkpoint(saved(tmp_path, FORMS[form](original.state_dict())), patch_merging="fixed")
    assert checkpoint.architecture == architecture
    assert checkpoint.missing == []
    for name, parameter in checkpoint.model.named_parameters():
        assert torch.equal(parameter, original.get_parameter(name)), name


def test_patch_merging_has_no_default(tmp_path, original):
    path = saved(tmp_path, original.state_dict())
    with pytest.raises(TypeError, match="patch_merging"):
        load_checkpoint(path)
    with pytest.raises(ValueError, match="patch_merging"):
        load_checkpoint(path, patch_merging="merging")


def self_supervised(model):
    weights = model.swinViT.state_dict()
    renamed = {k.replace("linear1", "fc1").replace("linear2", "fc2"): t for k, t in weights.items()}
    return {"state_dict": prefixed("module.", renamed) | {"module.rotation_head.weight": torch.zeros(4, 2)}}


def test_a_self_supervised_file_says_what_is_missing(tmp_path, original):
    path = saved(tmp_path, self_supervised(original))
    with pytest.raises(ValueError, match="say out_channels"):
        load_checkpoint(path, patch_merging="legacy")
    with pytest.warns(UserWarning, match=r"transformer alone; freshly initialised: decoder1.*encoder1.*out"):
        checkpoint = load_checkpoint(path, patch_merging="legacy", out_channels=4)
    assert checkpoint.architecture.out_channels == 4
    assert not any(name.startswith("swinViT.") for name in checkpoint.missing)
    assert "encoder1.layer.conv1.conv.weight" in checkpoint.missing
    for name, parameter in checkpoint.model.swinViT.named_parameters():
        assert torch.equal(parameter, original.swinViT.get_parameter(name)), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("encoder2.layer.conv1.conv.weight"), "missing: encoder2.layer.conv1.conv.weight"),
        (lambda w: w.pop("out.conv.conv.bias"), "has no head"),
        (lambda w: w.update({"surprise": torch.zeros(1)}), "has not: surprise"),
        (lambda w: w.update({"out.conv.conv.weight": torch.zeros(2, 24, 1, 1, 1)}), "out.conv.conv.weight: expected"),
        (lambda w: w.update({"swinViT.layers1c.0.layer.conv1.conv.weight": torch.zeros(1)}), "V2"),
        (lambda w: w.pop("swinViT.patch_embed.proj.weight"), "no SwinUNETR"),
        (lambda w: w.update({"epoch": 3}), "epoch is no tensor"),
    ],
)
def test_what_is_no_swinunetr_is_refused(tmp_path, original, change, message):
    weights = dict(original.state_dict())
    change(weights)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(saved(tmp_path, weights), patch_merging="fixed")


class Malicious:
    """Writes a file where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def as_zip(path, content):
    torch.save(content, path)


def as_legacy(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def as_bare_pickle(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("write", [as_zip, as_legacy, as_bare_pickle])
@pytest.mark.parametrize("place", [lambda evil: evil, lambda evil: {"state_dict": {"a": evil}}], ids=["bare", "nested"])
def test_code_in_an_archive_is_refused_and_never_run(tmp_path, write, place):
    path, mark = tmp_path / "model.pth", tmp_path / "mark"
    write(path, place(Malicious(mark)))
    with pytest.raises(ValueError, match=r"refused: it asks for (posix|os)\.system, .*never unpickled") as refused:
        load_checkpoint(path, patch_merging="fixed")
    assert not mark.exists()
    # PyTorch's own message would have the reader run it.
    assert "weights_only=False" not in str(refused.value)
    # The archive does run where it is not refused.
    if write is as_bare_pickle:
        pickle.loads(path.read_bytes())
        assert mark.exists()


def test_modules_programs_and_noise_are_refused(tmp_path, original):
    path = tmp_path / "model.pt"
    torch.save({"state_dict": torch.nn.Linear(1, 1)}, path)
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        load_checkpoint(path, patch_merging="fixed")
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)
    with pytest.raises(ValueError, match="refused"):
        load_checkpoint(path, patch_merging="fixed")
    for noise in (b"", b"PK\x03\x04 and no more", bytes(range(256))):
        path.write_bytes(noise)
        with pytest.raises(ValueError, match="refused"):
            load_checkpoint(path, patch_merging="fixed")


def test_another_head_than_asked_for_is_an_error(tmp_path, original):
    with pytest.raises(ValueError, match="head of 2 channels, not 5"):
        load_checkpoint(saved(tmp_path, original.state_dict()), patch_merging="fixed", out_channels=5)
