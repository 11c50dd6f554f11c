"""What the trainer stores, the real runner serves: `pdora segment --local` against PyTorch."""

import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from conftest import PROJECT, WINDOW, make_task

from pdora import load_base, predict, save_adapter

NODE = PROJECT / "node_modules" / ".bin" / "node"


@pytest.fixture(scope="module")
def segment():
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")

    def run(image: Path, base: Path, adapter: Path, folder: Path) -> tuple[Path, Path]:
        labels, probabilities = folder / "labels.nii.gz", folder / "probabilities.nii.gz"
        command = [
            NODE,
            PROJECT / "cli" / "pdora.ts",
            "segment",
            image,
            "--local",
            "--base",
            base,
            "--adapter",
            adapter,
        ]
        done = subprocess.run(
            [*map(str, command), "-o", str(labels), "--probabilities", str(probabilities)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return labels, probabilities

    return run


def test_a_saved_adapter_served_by_the_runner_gives_pytorchs_logits(tmp_path, segment, trained, base_file):
    """One window that is left as it is, so that the probabilities are the network's, voxel by voxel."""
    task = make_task("deep", 3, preprocessing={"orientation": None, "spacing": None, "intensity": {"kind": "none"}})
    save_adapter(trained, tmp_path / "adapter.safetensors", base=load_base(base_file), task=task)
    x = torch.randn(WINDOW, generator=torch.Generator().manual_seed(11))
    nibabel.save(nibabel.Nifti1Image(x.numpy(), np.eye(4)), tmp_path / "image.nii.gz")
    _, file = segment(tmp_path / "image.nii.gz", base_file, tmp_path / "adapter.safetensors", tmp_path)

    with torch.no_grad():
        logits = trained(x[None, None])[0]
    found = torch.from_numpy(np.asarray(nibabel.load(file).dataobj).astype(np.float32)).movedim(-1, 0)
    assert found.shape == logits.shape
    # A softmax leaves logits up to one number a voxel.
    difference = found.log() - logits.log_softmax(0)
    assert difference.abs().max() < 1e-3 * logits.abs().max()


@pytest.mark.parametrize("case", ["1", "2", "3"])
def test_the_runners_label_map_is_pytorchs_on_any_grid(tmp_path, segment, trained, base_file, cases, case):
    adapter = save_adapter(
        trained, tmp_path / "adapter.safetensors", base=load_base(base_file), task=make_task("deep", 3), dtype="F16"
    )
    image = cases / case / "image.nii.gz"
    labels, _ = segment(image, base_file, adapter.path, tmp_path)
    found, expected = np.asarray(nibabel.load(labels).dataobj), predict(adapter.model, adapter.task, [image])
    assert found.shape == expected.shape
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() >= 0.999
    assert np.allclose(nibabel.load(labels).affine, nibabel.load(image).affine)
