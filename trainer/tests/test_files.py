import json

import pytest
import torch
from conftest import WINDOW, make_task
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pdora import attached, build_network, load_adapter, load_base, save_adapter, save_base
from pdora.digest import base_digest
from pdora.selftest import selftest_miss


def metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_a_base_comes_back_as_it_was_stored(base_file, architecture):
    torch.manual_seed(5)
    original = build_network(architecture).state_dict()
    base = load_base(base_file)
    assert base.architecture == architecture
    assert base.task == make_task("tissue")
    for name, tensor in load_file(base_file).items():
        assert tensor.dtype == torch.float16
        assert torch.equal(tensor, original[name].half())
        assert torch.equal(base.model.get_parameter(name), tensor.float())
    assert metadata(base_file)["format"] == "pdora-base"
    assert metadata(base_file)["format_version"] == "1"


def test_the_digest_survives_another_container_but_not_another_dtype(tmp_path, base_file):
    tensors = load_file(base_file)
    save_file(tensors, tmp_path / "same", metadata=metadata(base_file) | {"note": "saved again"})
    save_file({k: t.float() for k, t in tensors.items()}, tmp_path / "wide", metadata=metadata(base_file))
    assert base_digest(tmp_path / "same") == base_digest(base_file)
    assert base_digest(tmp_path / "wide") != base_digest(base_file)


def test_a_base_must_fit_its_labels_and_channels(tmp_path, architecture):
    model = build_network(architecture)
    with pytest.raises(ValueError, match="3 classes for 2 output channels"):
        save_base(model, tmp_path / "b", architecture=architecture, task=make_task("tissue", 3))
    two = make_task("tissue")
    two.channels.append("T2")
    with pytest.raises(ValueError, match="2 channels for a network of 1"):
        save_base(model, tmp_path / "b", architecture=architecture, task=two)
    with pytest.raises(ValueError, match="dtype"):
        save_base(model, tmp_path / "b", architecture=architecture, task=make_task("tissue"), dtype="F8")
    assert not (tmp_path / "b").exists()


def test_what_is_not_finite_is_not_stored(tmp_path, architecture):
    model = build_network(architecture)
    with torch.no_grad():
        model.decoder1.transp_conv.conv.weight[0, 0] = 1e6
    with pytest.raises(ValueError, match=r"decoder1.transp_conv.conv.weight is not finite as F16"):
        save_base(model, tmp_path / "b", architecture=architecture, task=make_task("tissue"), dtype="F16")


def test_missing_and_extra_tensors_are_errors(tmp_path, base_file):
    tensors = load_file(base_file)
    save_file({"more": torch.zeros(1), **tensors}, tmp_path / "more", metadata=metadata(base_file))
    with pytest.raises(ValueError, match="the network has no more"):
        load_base(tmp_path / "more")
    del tensors["encoder1.layer.conv1.conv.weight"]
    save_file(tensors, tmp_path / "less", metadata=metadata(base_file))
    with pytest.raises(ValueError, match=r"missing: encoder1.layer.conv1.conv.weight"):
        load_base(tmp_path / "less")


def test_an_adapter_is_the_trained_network(trained, adapter_file, base_file):
    base = load_base(base_file)
    adapter = load_adapter(adapter_file, base)
    x = torch.randn(1, 1, *WINDOW, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected, found, without = trained(x), adapter.model(x), base.model(x)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (without - expected[:, :2]).abs().max() > 1e-2 * expected.abs().max()


def test_an_adapters_tensors_and_manifest_are_the_formats(trained, adapter_file, base_file):
    manifest = json.loads(metadata(adapter_file)["manifest"])
    assert metadata(adapter_file)["format"] == "pdora-adapter"
    assert manifest["base"] == base_digest(base_file)
    assert len(manifest["targets"]) == 8 + 4
    assert manifest["targets"][0] == {
        "parameter": "swinViT.layers1.0.blocks.0.attn.qkv.weight",
        "method": "pdora",
        "form": "factor",
        "norm_axis": "out",
        "rank": 4,
    }
    weights = [target["parameter"] for target in manifest["targets"]]
    roles = ("up", "down", "up0", "down0", "magnitude")
    expected = {f"{w}::{role}" for w in weights for role in roles} | {f"{name}::full" for name in manifest["replaced"]}
    tensors = load_file(adapter_file)
    assert set(tensors) == expected
    assert {name.split(".")[0] for name in manifest["replaced"]} == {"out", *(f"decoder{n}" for n in range(1, 6))}
    for parameter, method in attached(trained):
        out, into = load_base(base_file).model.get_parameter(parameter).shape
        assert tensors[f"{parameter}::up"].shape == tensors[f"{parameter}::up0"].shape == (out, method.rank)
        assert tensors[f"{parameter}::down"].shape == tensors[f"{parameter}::down0"].shape == (method.rank, into)
        assert tensors[f"{parameter}::magnitude"].shape == (out,)


def test_the_selftest_covers_every_channel_and_holds_for_what_is_stored(adapter_file, base_file):
    base = load_base(base_file)
    selftest = load_adapter(adapter_file, base).manifest["selftest"]
    voxels = WINDOW[0] * WINDOW[1] * WINDOW[2]
    assert 16 <= len(set(selftest["positions"])) == len(selftest["positions"]) == len(selftest["expected"]) <= 256
    assert {position // voxels for position in selftest["positions"]} == {0, 1, 2}
    assert selftest_miss(load_adapter(adapter_file, base).model, 1, selftest) < 1e-2


def test_low_rank_tensors_stay_f32_where_replaced_ones_are_f16(tmp_path, trained, base_file):
    base = load_base(base_file)
    adapter = save_adapter(trained, tmp_path / "half", base=base, task=make_task("deep", 3), dtype="F16")
    dtypes = {name.split("::")[1]: tensor.dtype for name, tensor in load_file(tmp_path / "half").items()}
    assert dtypes.pop("full") == torch.float16
    assert set(dtypes.values()) == {torch.float32}
    # The self-test is of the rounded numbers, which a reader has, not of those in memory.
    assert selftest_miss(adapter.model, 1, adapter.manifest["selftest"]) < 1e-2


def test_an_adapter_of_another_base_is_refused(tmp_path, adapter_file, architecture):
    other = save_base(
        build_network(architecture), tmp_path / "other", architecture=architecture, task=make_task("other")
    )
    with pytest.raises(ValueError, match="belongs to base sha256:"):
        load_adapter(adapter_file, other)


def test_another_format_or_version_is_refused(tmp_path, base_file, adapter_file):
    with pytest.raises(ValueError, match="expected pdora-base version 1, found pdora-adapter 1"):
        load_base(adapter_file)
    save_file(load_file(base_file), tmp_path / "new", metadata=metadata(base_file) | {"format_version": "2"})
    with pytest.raises(ValueError, match="found pdora-base 2"):
        load_base(tmp_path / "new")


def test_the_head_must_have_a_channel_a_label(tmp_path, trained, base_file):
    with pytest.raises(ValueError, match="2 classes for a head of 3"):
        save_adapter(trained, tmp_path / "a", base=load_base(base_file), task=make_task("deep", 2))
