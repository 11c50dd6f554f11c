"""`pdora compare` against MONAI's metrics."""

import json
import os
import subprocess

import nibabel
import numpy as np
import pytest
import torch
from conftest import PROJECT
from monai.metrics import compute_dice, compute_hausdorff_distance
from scipy import ndimage

NODE = PROJECT / "node_modules" / ".bin" / "node"
SPACING = (0.7, 1.3, 2.1)


def compare(*arguments):
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")
    command = [NODE, PROJECT / "cli" / "pdora.ts", "compare", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def blobs(seed, moved=0.0):
    """Labels 0 to 3 in smooth shapes, some at the very edge of the volume; `moved` makes others like them."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(40, 33, 21)), 3)
    noise += moved * ndimage.gaussian_filter(np.random.default_rng(seed + 1).normal(size=noise.shape), 3)
    return np.digitize(noise / noise.std(), [0.2, 0.8, 1.4]).astype(np.uint8)


def saved(path, labels, affine):
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path


@pytest.mark.parametrize(("seed", "moved"), [(1, 0.3), (2, 1.0)])
def test_dice_hd95_and_volumes_are_monais(tmp_path, seed, moved):
    # Oblique and left-handed: distances go by the voxels' size, not by the axes of the world.
    turn = np.array([[-0.8, 0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(SPACING)
    a, b = blobs(seed), blobs(seed, moved)
    files = saved(tmp_path / "a.nii.gz", a, affine), saved(tmp_path / "b.nii", b, affine)
    done = compare(*files, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["labels"]
    assert [one["value"] for one in found] == [1, 2, 3]
    for one in found:
        masks = [torch.from_numpy(labels == one["value"])[None, None].float() for labels in (b, a)]
        dice, hd95 = compute_dice(*masks), compute_hausdorff_distance(*masks, percentile=95, spacing=SPACING)
        assert one["dice"] == pytest.approx(float(dice), abs=1e-6)
        assert one["hd95_mm"] == pytest.approx(float(hd95), abs=1e-4)
        volumes = [(labels == one["value"]).sum() * np.prod(SPACING) / 1000 for labels in (a, b)]
        assert [one["volume_ml"]["a"], one["volume_ml"]["b"]] == pytest.approx(volumes, rel=1e-6)
        assert one["difference_ml"] == pytest.approx(volumes[1] - volumes[0], abs=1e-6)


def test_a_label_that_one_lacks_has_no_distance(tmp_path):
    a, b = np.zeros((2, 5, 5, 5), np.uint8)
    a[2, 2, 2], b[1, 1, 1] = 1, 7
    done = compare(saved(tmp_path / "a.nii", a, np.eye(4)), saved(tmp_path / "b.nii", b, np.eye(4)), "--json")
    assert [(one["value"], one["dice"], one["hd95_mm"]) for one in json.loads(done.stdout)["labels"]] == [
        (1, 0, None),
        (7, 0, None),
    ]


def test_other_grids_and_other_things_than_labels_are_refused(tmp_path):
    labels = blobs(1)
    a = saved(tmp_path / "a.nii", labels, np.eye(4))
    moved = saved(tmp_path / "moved.nii", labels, np.diag([1, 1, 1.1, 1]))
    image = saved(tmp_path / "image.nii", labels.astype(np.float32) + 0.5, np.eye(4))
    for other, code in ((moved, "grid_mismatch"), (image, "invalid_volume")):
        done = compare(a, other)
        assert done.returncode == 1
        assert done.stderr.startswith(f"pdora: {code}: ")
