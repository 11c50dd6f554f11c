import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from pdora import Architecture, Task, attach, build_network, load_base, new_head, save_adapter, save_base

PROJECT = Path(__file__).parents[2]
WINDOW = [32, 32, 64]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden results: without it a test is skipped, and fails where CI is set."""
    folder = Path(os.environ.get("PDORA_SHARED", PROJECT.parent / "shared"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no golden results at {folder}")
        pytest.skip("no golden results here")
    return folder


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    return shared / "fixtures" / "parity"


def make_task(name: str, labels: int = 2, **more: Any) -> Task:
    preprocessing = {"orientation": "RAS", "spacing": [2, 2, 2], "intensity": {"kind": "zscore", "mask": "nonzero"}}
    values = {
        "name": name,
        "channels": ["T1"],
        "labels": [{"value": value, "name": f"label {value}"} for value in range(labels)],
        "inference": {"roi_size": WINDOW, "overlap": 0.25, "blend": "gaussian"},
        "preprocessing": preprocessing,
    }
    return Task(**(values | more))


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    return Architecture(feature_size=12, in_channels=1, out_channels=2, patch_merging="fixed")


@pytest.fixture(scope="session")
def base_file(tmp_path_factory: pytest.TempPathFactory, architecture: Architecture) -> Path:
    """A stored base with random weights, F16."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_base(build_network(architecture), path, architecture=architecture, task=make_task("tissue"), dtype="F16")
    return path


@pytest.fixture(scope="session")
def trained(base_file):
    """A network with PDoRA, a new head and the decoder, moved away from its start."""
    torch.manual_seed(3)
    model = new_head(load_base(base_file).model, 3)
    attach(model, rank=4, targets=["qkv", "swinViT.layers2.*.linear?.weight"], train=["decoder"], norm_axis="out")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="session")
def adapter_file(tmp_path_factory, base_file, trained):
    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    save_adapter(trained, path, base=load_base(base_file), task=make_task("deep", 3), provenance={"seed": 3})
    return path


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small volumes: a bright box in noise, labelled, on grids that differ in axis order and direction."""
    folder = tmp_path_factory.mktemp("cases")
    rng = np.random.default_rng(7)
    affines = [np.diag([2, 2, 2, 1]), np.diag([-2, -2, 2, 1]), np.diag([2, -2, 2, 1]), np.eye(4) * [2, 2, 2, 1]]
    for case, affine in enumerate(affines, 1):
        label = np.zeros((32, 34, 60), np.uint8)
        label[8:20, 10:24, 20:40] = 1
        image = (100 + 400.0 * label + rng.normal(0, 20, label.shape)).astype(np.float32)
        (folder / str(case)).mkdir()
        nibabel.save(nibabel.Nifti1Image(image, affine.astype(float)), folder / str(case) / "image.nii.gz")
        nibabel.save(nibabel.Nifti1Image(label, affine.astype(float)), folder / str(case) / "label.nii.gz")
    return folder
