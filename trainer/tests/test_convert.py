"""`pdora-train convert`: PyTorch checkpoints as bases and adapters."""

from copy import deepcopy

import pytest
import torch
import yaml
from conftest import WINDOW
from safetensors.torch import load_file

from pdora import Architecture, attach, attached, build_network, load_adapter, load_base, new_head
from pdora.cli import main
from pdora.difference import low_rank

DESCRIPTION = {
    "name": "converted",
    "channels": ["T1"],
    "labels": ["background", "one"],
    "inference": {"roi_size": WINDOW, "overlap": 0.25, "blend": "gaussian"},
    "architecture": {"patch_merging": "legacy"},
}


@pytest.fixture
def convert(tmp_path, capsys):
    """Runs the command on a state dict; the exit status, the file and what was said."""

    def run(content, *, base=None, description=None):
        torch.save(content, tmp_path / "model.pth")
        arguments = ["convert", str(tmp_path / "model.pth"), "-o", str(tmp_path / "out.safetensors")]
        if base is not None:
            arguments += ["--base", str(base)]
        if description is not None:
            (tmp_path / "c.yaml").write_text(yaml.safe_dump(description))
            arguments += ["--config", str(tmp_path / "c.yaml")]
        status = main(arguments)
        said = capsys.readouterr()
        return status, tmp_path / "out.safetensors", said.out + said.err

    return run


@pytest.fixture(scope="module")
def stored(base_file):
    return load_base(base_file)


def weights_of(model):
    """As a plain network's state dict, with whatever is attached fused in."""
    weights = {name: p.detach().clone() for name, p in model.named_parameters() if ".parametrizations." not in name}
    for name, _ in attached(model):
        weights[name] = model.get_submodule(name.removesuffix(".weight")).weight.detach().clone()
    return weights


def moved(model):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def test_a_monai_checkpoint_becomes_a_base(convert, architecture):
    torch.manual_seed(2)
    weights = build_network(architecture).state_dict()
    content = {"epoch": 1, "state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}}
    status, file, said = convert(content, description=DESCRIPTION)
    assert status == 0, said
    base = load_base(file)
    assert base.architecture.patch_merging == "legacy"
    assert base.digest in said
    assert all(torch.equal(p, weights[name]) for name, p in base.model.named_parameters())


def test_a_base_needs_what_no_checkpoint_says(convert, architecture):
    weights = build_network(architecture).state_dict()
    assert "needs --config" in convert(weights)[2]
    without = {key: value for key, value in DESCRIPTION.items() if key != "architecture"}
    status, file, said = convert(weights, description=without)
    assert (status, file.exists()) == (1, False)
    assert "architecture.patch_merging: missing" in said


@pytest.mark.parametrize("method", ["lora", "pdora"])
def test_low_rank_training_is_found_again_and_its_rank_with_it(convert, base_file, stored, method):
    torch.manual_seed(3)
    model = moved(attach(deepcopy(stored.model), method, rank=3, targets=["qkv"]))
    status, file, said = convert(weights_of(model), base=base_file)
    assert status == 0, said
    # PDoRA takes the principal part away and puts another in its place.
    rank = {"lora": 3, "pdora": 6}[method]
    assert f"8 low-rank (rank {rank} to {rank}), 0 dense, 2 replaced, 141 as in the base" in said
    adapter = load_adapter(file, stored)
    assert {target["parameter"] for target in adapter.manifest["targets"]} == {name for name, _ in attached(model)}
    for name, weight in weights_of(model).items():
        found = adapter.model.get_parameter(name)
        assert (found - weight).norm() <= 5e-7 * weight.norm(), name


def test_a_whole_fine_tuned_network_with_a_new_head_is_kept_as_it_is(convert, base_file, stored):
    """The form of the PDoRA authors' checkpoints: every weight of a network that was trained whole."""
    torch.manual_seed(4)
    model = moved(new_head(deepcopy(stored.model), 3).requires_grad_(True))
    description = DESCRIPTION | {"labels": ["background", "a", "b"]}
    del description["architecture"]
    status, file, said = convert(model.state_dict(), base=base_file, description=description)
    assert status == 0, said
    assert "0 low-rank, 36 dense, 115 replaced, 0 as in the base" in said
    adapter = load_adapter(file, stored)
    assert adapter.manifest["name"] == "converted"
    for name, parameter in model.named_parameters():
        found = adapter.model.get_parameter(name)
        assert (found - parameter).norm() <= 1e-7 * parameter.norm(), name


def test_what_the_base_only_rounds_is_not_stored_again(convert, base_file, stored, architecture):
    torch.manual_seed(5)
    # The network that the fixture stored as F16.
    original = build_network(architecture).state_dict()
    assert not torch.equal(original["decoder1.transp_conv.conv.weight"], stored.model.decoder1.transp_conv.conv.weight)
    status, _, said = convert(original, base=base_file)
    assert status == 1
    assert "nothing differs from the base" in said
    original["out.conv.conv.bias"] += 0.1
    status, file, said = convert(original, base=base_file)
    assert status == 0, said
    assert list(load_file(file)) == ["out.conv.conv.bias::full"]


def test_a_network_of_another_shape_is_refused(convert, base_file):
    other = build_network(Architecture(feature_size=12, in_channels=2, out_channels=2, patch_merging="fixed"))
    status, file, said = convert(other.state_dict(), base=base_file)
    assert (status, file.exists()) == (1, False)
    assert "the base is of" in said


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 0.05])
def test_the_rank_is_seen_past_the_rounding_of_the_weights(dtype, size):
    torch.manual_seed(6)
    w0 = torch.randn(96, 48) * 0.05
    product = torch.randn(96, 5) @ torch.randn(5, 48)
    weight = (w0 + product * (size * w0.norm() / product.norm())).to(dtype)
    up, down = low_rank(w0, weight)
    assert up.shape == (96, 5)
    error = (w0.double() + up @ down - weight.double()).norm()
    assert error <= torch.finfo(dtype).eps * weight.double().norm()


def test_a_difference_that_would_be_larger_in_factors_stays_dense():
    torch.manual_seed(7)
    w0 = torch.randn(36, 12)
    # 9 (36 + 12) = 36 * 12.
    for rank, factors in ((8, True), (9, False)):
        weight = w0 + torch.randn(36, rank) @ torch.randn(rank, 12)
        assert (low_rank(w0, weight) is not None) == factors
