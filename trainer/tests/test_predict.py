import nibabel
import numpy as np
import pytest
import torch
from conftest import make_task

from pdora import predict
from pdora.predict import decide, dice
from pdora.preprocess import keep_largest_component, load_images, normalise


class Threshold(torch.nn.Module):
    """Label 1 where the normalised image is bright."""

    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return torch.cat([self.level.expand_as(x), x], 1)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SLA"])
def test_labels_come_back_to_the_voxels_they_belong_to(tmp_path, codes):
    """A bright box near one corner: any swapped or flipped axis on the way back would miss it."""
    data = np.ones((40, 36, 30), np.float32)
    data[4:16, 20:32, 3:12] = 50
    image = nibabel.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0]))
    turned = image.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(codes)
        )
    )
    nibabel.save(turned, tmp_path / "image.nii.gz")
    found = predict(Threshold(), make_task("box"), [tmp_path / "image.nii.gz"])
    assert found.dtype == np.uint8
    assert np.array_equal(found == 1, np.asarray(turned.dataobj) == 50)


def test_regions_take_the_last_that_holds():
    task = make_task(
        "regions", 4, activation="sigmoid", regions=[{"name": n, "value": v} for n, v in [("a", 2), ("b", 1), ("c", 3)]]
    )
    logits = torch.tensor([[1.0, 1.0, -1.0, 0.0], [-1.0, 1.0, -1.0, -1.0], [-1.0, 1.0, -1.0, -1.0]])[:, None, None]
    assert decide(logits, task).flatten().tolist() == [2, 3, 0, 2]


def test_the_largest_component_is_26_connected_and_the_first_of_equals():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[0, 0, 0] = labels[1, 1, 1] = 1
    labels[4, 4, 4] = labels[4, 4, 5] = 1
    labels[0, 5, 5] = labels[5, 0, 0] = 2
    kept = keep_largest_component(labels, [1])
    assert np.argwhere(kept == 1).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert (kept == 2).sum() == 2


def test_every_intensity_kind():
    image = torch.tensor([[[[0.0, -2.0, 4.0, 6.0]]], [[[0.0, 0.0, 0.0, 0.0]]]])
    before = image.clone()
    for intensity, expected in (
        ({"kind": "zscore", "mask": "nonzero"}, [0, -1.3728, 0.3922, 0.9806]),
        ({"kind": "zscore", "mask": "positive"}, [0, 0, -1, 1]),
        ({"kind": "zscore", "mask": "all"}, [-0.6325, -1.2649, 0.6325, 1.2649]),
        ({"kind": "range", "from": [0, 4], "to": [0, 1], "clip": True}, [0, 0, 1, 1]),
        ({"kind": "range", "from": [0, 4], "to": [0, 1], "clip": False}, [0, -0.5, 1, 1.5]),
        ({"kind": "none"}, [0, -2, 4, 6]),
    ):
        found = normalise(image, intensity)
        assert found[0].flatten().tolist() == pytest.approx(expected, abs=1e-4), intensity
        assert torch.isfinite(found).all()
    assert torch.equal(image, before)


def test_channels_must_lie_on_one_grid(tmp_path):
    for name, size in (("a", 2.0), ("b", 2.5)):
        nibabel.save(
            nibabel.Nifti1Image(np.ones((8, 8, 8), np.float32), np.diag([2.0, 2.0, size, 1.0])),
            tmp_path / f"{name}.nii",
        )
    with pytest.raises(ValueError, match="not on the grid"):
        load_images([tmp_path / "a.nii", tmp_path / "b.nii"])


def test_dice():
    truth = np.array([0, 1, 1, 2])
    assert dice(np.array([1, 1, 0, 2]), truth, 1) == 0.5
    assert dice(truth, truth, 3) == 1
    assert dice(np.array([3, 3, 3, 3]), truth, 3) == 0
