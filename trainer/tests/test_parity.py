"""Against golden results that were made with MONAI itself."""

import json

import nibabel
import numpy as np
import pytest
import torch
from monai.networks.nets import SwinUNETR
from monai.transforms import SpatialPad

from pdora import Architecture, build_network, fuse, load_adapter, load_base, predict
from pdora.digest import base_digest
from pdora.network import linear_weights
from pdora.preprocess import Grid, load_images, normalise
from pdora.selftest import selftest_input, selftest_miss, selftest_values

CASES = ["p1-legacy-f12", "p2-fixed-f12-2ch"]


def test_every_method_means_what_the_format_says(parity):
    cases = json.loads((parity / "methods.json").read_text())["cases"]
    assert {case["method"] for case in cases} == {"lora", "pissa", "loram", "dora", "pdora", "bora", "map", "delta"}
    for case in cases:
        tensors = {role: torch.tensor(values) for role, values in case["tensors"].items()}
        expected = torch.tensor(case["expected"], dtype=torch.float64)
        fused = fuse(case, torch.tensor(case["W0"]), tensors)
        assert (fused - expected).norm() <= 1e-12 * expected.norm(), case["name"]


def test_a_zero_norm_that_divides_is_an_error():
    tensors = {"up": torch.ones(4, 1), "down": torch.tensor([[1.0, 0.0, 1.0]])}
    tensors |= {"up0": tensors["up"], "down0": tensors["down"], "magnitude": torch.ones(3)}
    target = {"method": "pdora", "form": "factor", "norm_axis": "in", "rank": 1}
    with pytest.raises(ValueError, match="zero norm"):
        fuse(target, torch.ones(4, 3), tensors)


def test_the_selftests_input_is_the_formats(parity):
    golden = json.loads((parity / "methods.json").read_text())["selftest_input"]
    expected = np.array(golden["values"], np.float32)
    assert np.array_equal(selftest_values(np.array(golden["positions"])), expected)
    assert selftest_input(2, [32, 32, 64]).flatten()[77].item() == expected[golden["positions"].index(77)]


@pytest.mark.parametrize("case", CASES)
def test_a_base_has_the_golden_digest_and_passes_its_selftest(parity, case):
    expected = json.loads((parity / case / "expected.json").read_text())["base"]
    base = load_base(parity / case / expected["file"])
    assert base.digest == base_digest(base.path) == expected["digest"]
    assert len(linear_weights(base.model)) == 36
    assert selftest_miss(base.model, base.architecture.in_channels, base.manifest["selftest"]) < 0.1


def test_the_wrong_merging_misses_the_selftest(parity):
    base = load_base(parity / CASES[0] / "base.safetensors")
    wrong = build_network(Architecture.from_dict({**base.manifest["architecture"], "patch_merging": "fixed"}))
    wrong.load_state_dict(base.model.state_dict())
    assert selftest_miss(wrong, 1, base.manifest["selftest"]) > 10


@pytest.mark.parametrize(("variant", "monai_name"), [("fixed", "merging"), ("v2", "mergingv2")])
def test_merging_is_that_of_monai(variant, monai_name):
    a = Architecture(feature_size=12, in_channels=1, out_channels=2, patch_merging=variant)
    ours = build_network(a).eval()
    monai = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, downsample=monai_name).eval()
    monai.load_state_dict(ours.state_dict())
    x = torch.randn(1, 1, 32, 32, 64)
    with torch.no_grad():
        assert torch.equal(ours(x), monai(x))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("which", [0, 1], ids=["base", "adapter"])
def test_the_first_windows_logits_are_those_of_monai(parity, case, which):
    subject, images, run = _run(parity / case, which)
    image = Grid(subject.task.preprocessing)(load_images(images))
    assert list(image.shape[1:]) == run["grid"]["shape"]
    assert np.allclose(image.affine, run["grid"]["affine"], atol=1e-4)
    prepared = normalise(image, subject.task.preprocessing["intensity"])
    _agree(prepared, run["prepared"], 1e-4)
    roi_size = subject.task.inference["roi_size"]
    window = SpatialPad(roi_size)(prepared)[None, :, : roi_size[0], : roi_size[1], : roi_size[2]]
    with torch.no_grad():
        logits = subject.model(torch.as_tensor(window))
    _agree(logits, run["window"], 1e-3)


@pytest.mark.parametrize("which", [0, 1], ids=["base", "adapter"])
def test_label_maps_are_those_of_monai(parity, which):
    folder = parity / CASES[0]
    subject, images, run = _run(folder, which)
    found = predict(subject.model, subject.task, images)
    truth = np.asarray(nibabel.load(folder / run["labels"]["file"]).dataobj)
    assert found.shape == truth.shape
    assert (found == truth).mean() >= 0.999


def _run(folder, which):
    expected = json.loads((folder / "expected.json").read_text())
    run = expected["runs"][which]
    base = load_base(folder / expected["base"]["file"])
    subject = base if run["adapter"] is None else load_adapter(folder / run["adapter"], base)
    return subject, [folder / image["file"] for image in expected["inputs"]], run


def _agree(values, golden, tolerance):
    assert list(values.shape) == golden["shape"]
    found = values.flatten()[torch.tensor(golden["positions"])].double()
    expected = torch.tensor(golden["values"], dtype=torch.float64)
    bound = golden.get("max_abs", expected.abs().max().item())
    assert (found - expected).abs().max() <= tolerance * bound
