"""The shipped hippocampus model: what its card says is what the service gives."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from conftest import PROJECT
from served.reference import monai_network
from served.system import running_system

from pdora import load_adapter, load_base, predict
from pdora.predict import dice

MODEL = PROJECT / "models" / "hippocampus"
CASES = 3


@pytest.fixture(scope="module")
def shipped():
    base = load_base(MODEL / "base.safetensors")
    return base, load_adapter(MODEL / "hippocampus.safetensors", base)


@pytest.fixture(scope="module")
def service(shipped, admin, tmp_path_factory):
    """The system with this base; `admin` skips where no system can be started."""
    base, _ = shipped
    with running_system(PROJECT, base.path, base.digest, tmp_path_factory.mktemp("hippocampus")) as client:
        yield client.new_tenant("ward")


def test_the_service_has_the_dice_of_pytorch_on_subjects_of_the_test(shipped, service, shared, record_property):
    base, adapter = shipped
    shown = service.push("hippocampus", adapter.path)
    assert (shown["status"], shown["problems"]) == ("ready", [])
    card = {one["label"]: one["cases"] for one in adapter.manifest["provenance"]["metrics"] if one["name"] == "Dice"}
    network = monai_network(adapter, base.architecture)
    for case in adapter.manifest["provenance"]["datasets"][0]["test"][:CASES]:
        image, label = (
            shared / "data" / "hippocampus" / kind / f"hippocampus_{case:0>3}.nii.gz" for kind in ("images", "labels")
        )
        truth = np.asarray(nibabel.load(label).dataobj)
        served = np.asarray(service.segment("hippocampus", image).image().dataobj)
        here = predict(network, adapter.task, [image])
        for one in adapter.task.labels[1:]:
            found = [dice(labels, truth, one["value"]) for labels in (served, here)]
            record_property(f"Dice {case} {one['name']}", found)
            assert found[0] == pytest.approx(found[1], abs=1e-3)
            assert found[0] == pytest.approx(card[one["name"]][case], abs=1e-3)


def test_the_card_has_a_score_of_every_case_of_the_test(shipped):
    _, adapter = shipped
    metrics = [one for one in adapter.manifest["provenance"]["metrics"] if one["name"] == "Dice"]
    assert len(metrics) == 2
    for one in metrics:
        assert list(one["cases"]) == adapter.manifest["provenance"]["datasets"][0]["test"]
        assert one["mean"] == pytest.approx(np.mean(list(one["cases"].values())), abs=1e-3)
    assert sum(file.stat().st_size for file in MODEL.glob("*.safetensors")) < 20e6
