"""What PyTorch and MONAI make of a file, for the service's answers to be compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.networks.nets import SwinUNETR
from monai.transforms import Compose, Orientation, Spacing

from pdora import Adapter, Architecture, Base, predict
from pdora.predict import grid_logits
from pdora.preprocess import load_images, normalise

# From version 1.5 on, in MONAI's own words; it has no `legacy` any more.
_MERGING = {"fixed": "merging", "v2": "mergingv2"}


def monai_network(subject: Adapter | Base, architecture: Architecture) -> SwinUNETR:
    """MONAI's own class with the weights of a base, or with an adapter's fused in."""
    model = SwinUNETR(
        in_channels=architecture.in_channels,
        out_channels=subject.task.classes,
        feature_size=architecture.feature_size,
        depths=architecture.depths,
        num_heads=architecture.num_heads,
        window_size=architecture.window_size,
        downsample=_MERGING[architecture.patch_merging],
    )
    model.load_state_dict(subject.model.state_dict())
    return model.eval()


def labels(subject: Adapter | Base, architecture: Architecture, image: Path) -> np.ndarray:
    return predict(monai_network(subject, architecture), subject.task, [image])


def probabilities(subject: Adapter | Base, architecture: Architecture, image: Path) -> np.ndarray:
    """[i, j, k, channel] on the input's grid, trilinear on the way back."""
    task = subject.task
    spacing = Spacing(task.preprocessing["spacing"], mode="bilinear", padding_mode="border", dtype=torch.float64)
    there = Compose([Orientation(task.preprocessing["orientation"], labels=None), spacing])
    grid = there(load_images([image]))
    prepared = normalise(grid.to(torch.float32), task.preprocessing["intensity"])
    logits = grid_logits(monai_network(subject, architecture), task, prepared)
    found = logits.softmax(0) if task.regions is None else logits.sigmoid()
    back = there.inverse(MetaTensor(found, affine=grid.affine, applied_operations=grid.applied_operations))
    return back.as_tensor().movedim(0, -1).numpy()


def agreement(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The share of equal voxels: among all, and among those where either is not background."""
    assert found.shape == expected.shape
    equal, either = found == expected, (found != 0) | (expected != 0)
    return float(equal.mean()), float(equal[either].mean())
