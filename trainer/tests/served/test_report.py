"""The report of a segmentation against PyTorch, nibabel and scipy; warnings by what the provenance says of the training."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from served.cases import LABELS, write_adapter

from pdora import Client, save_adapter
from pdora.predict import grid_logits
from pdora.preprocess import Grid, load_images, normalise


@pytest.fixture
def client(admin, tenant, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Client(admin.url, tenant.key) as made:
        yield made


def test_volumes_components_and_certainty_are_those_of_the_label_map(serve, client, hippocampus):
    served = serve("head")
    task = served.adapter.task
    prepared = normalise(Grid(task.preprocessing)(load_images([hippocampus])), task.preprocessing["intensity"])
    chances = grid_logits(served.adapter.model, task, prepared).double().softmax(0)
    best, decided = chances.max(0)
    entropy = -(chances * chances.clamp_min(1e-300).log()).sum(0)
    image = served.reply.image()
    labels = np.asarray(image.dataobj)
    voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000

    result = client.segment("head", hippocampus, as_="result", report=True)
    assert [one["name"] for one in result.report["labels"]] == [label["name"] for label in LABELS[1:]]
    for one in result.report["labels"]:
        mask = labels == one["value"]
        assert one["voxels"] == mask.sum() > 0
        assert one["volume_ml"] == pytest.approx(mask.sum() * voxel_ml, abs=1e-4)
        assert one["components"] == ndimage.label(mask, np.ones((3, 3, 3)))[1]
        inside = decided == one["value"]
        assert one["mean_probability"] == pytest.approx(float(best[inside].mean()), abs=1e-3)
        assert one["mean_entropy"] == pytest.approx(float(entropy[inside].mean()), abs=1e-3)
    assert result.report["warnings"] == []

    job = client.submit("head", hippocampus).wait()
    report = job.report()
    assert report["labels"] == result.report["labels"]
    assert (report["adapter_digest"], report["base_digest"]) == (result.adapter_digest, result.base_digest)
    assert report["ended_at"] == job.shown["ended_at"]
    # The label map alone carries nothing that was not asked for.
    assert "x-report" not in served.reply.headers


def test_an_input_unlike_the_training_is_told(base, client, heads, hippocampus, tmp_path):
    image = nibabel.load(hippocampus)
    size = np.array(nibabel.as_closest_canonical(image).header.get_zooms())
    inside = np.asarray(image.dataobj)[np.asarray(image.dataobj) != 0]
    p1, p50, p99 = np.percentile(inside, [1, 50, 99])
    share = inside.size / np.prod(image.shape)
    known = {
        "spacing": [[float(side)] * 2 for side in size],
        "extent": [[float(side * n)] * 2 for side, n in zip(size, image.shape, strict=True)],
        "intensities": {"T1": {k: [float(v)] * 2 for k, v in (("nonzero", share), ("p1", p1), ("p50", p50), ("p99", p99))}},
    }
    written = write_adapter(tmp_path / "a", base, "head", heads)
    file = tmp_path / "known.safetensors"
    model = written.model.requires_grad_(False)
    for name in written.manifest["replaced"]:
        model.get_parameter(name).requires_grad_(True)
    save_adapter(model, file, base=base, task=written.task, provenance={"inputs": known})
    client.push(file, "known")

    def warnings(volume):
        report = client.segment("known", volume, as_="result", report=True, deadline=300).report
        return sorted((one["code"], one["channel"]) for one in report["warnings"])

    assert warnings(hippocampus) == []
    # The unit of a scanner is not what a z-score looks at.
    voxels = np.asarray(image.dataobj).astype(np.float32)
    assert warnings(nibabel.Nifti1Image(voxels * 7, image.affine)) == []
    assert warnings(nibabel.Nifti1Image(voxels, image.affine @ np.diag([1, 1, 2, 1]))) == [
        ("field_of_view", None),
        ("spacing", None),
    ]
    masked = np.where(voxels > p50, voxels, 0)
    masked[masked > p99] *= 30
    assert ("intensity", "T1") in warnings(nibabel.Nifti1Image(masked, image.affine))


def test_probabilities_have_a_report_without_labels(serve, client, hippocampus):
    serve("head")
    result = client.segment("head", hippocampus, output="probabilities", as_="result", report=True)
    assert (result.report["labels"], result.report["warnings"]) == ([], [])
