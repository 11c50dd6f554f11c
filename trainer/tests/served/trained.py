"""Adapters that were really trained, a few steps on a part of an expert's hippocampus."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import nibabel
import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import SwinUNETR
from served.cases import LABELS
from torch import nn

from pdora import Adapter, Base, Task, new_head, save_adapter
from pdora.predict import grid_logits
from pdora.preprocess import load_images, normalise

WINDOW = (32, 64, 32)
STEPS = 3


@dataclass(frozen=True)
class Scan:
    """An image file that one window holds, its labels, and a head under which every class occurs in it."""

    file: Path
    truth: torch.Tensor
    head: tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Trained:
    """A stored adapter, and the logits [K, i, j, k] of the network as it was in training."""

    adapter: Adapter
    logits: torch.Tensor


def task_of(name: str) -> Task:
    """Nothing is resampled, so that the service's answer is the network's, voxel by voxel."""
    return Task(
        name=name,
        channels=["T1"],
        labels=[dict(label) for label in LABELS],
        inference={"roi_size": list(WINDOW), "overlap": 0.25, "blend": "gaussian"},
        preprocessing={"orientation": None, "spacing": None, "intensity": {"kind": "zscore", "mask": "nonzero"}},
    )


def cut_scan(folder: Path, images: Path, case: str, base: Base) -> Scan:
    """The part of a case around its labels that fits the window."""
    image, label = (nibabel.load(images / kind / f"{case}.nii.gz") for kind in ("images", "labels"))
    truth = np.asarray(label.dataobj)
    middle = np.argwhere(truth > 0).mean(0)
    part = tuple(
        slice(start := int(np.clip(m - w / 2, 0, max(0, n - w))), start + w)
        for m, w, n in zip(middle, WINDOW, truth.shape, strict=True)
    )
    file = folder / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj)[part].astype(np.float32), np.eye(4)), file)
    return Scan(file, torch.from_numpy(truth[part].astype(np.int64)), _head(base, file))


def train_adapter(path: Path, base: Base, scan: Scan, attach_method: Callable[[SwinUNETR], SwinUNETR]) -> Trained:
    """Trains what `attach_method` leaves to be trained and stores it at `path`, under its file's name."""
    task = task_of(path.stem)
    torch.manual_seed(crc32(task.name.encode()))
    model = new_head(deepcopy(base.model), task.classes)
    with torch.no_grad():
        model.out.conv.conv.weight.copy_(scan.head[0])
        model.out.conv.conv.bias.copy_(scan.head[1])
    attach_method(model)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    image, truth = _prepared(task, scan.file), scan.truth[None, None]
    pads = [side for w, n in zip(reversed(WINDOW), reversed(truth.shape[2:]), strict=True) for side in (0, w - n)]
    image, truth = (nn.functional.pad(one, pads) for one in (image[None], truth))
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss_of(model(image), truth).backward()
        optimiser.step()
    adapter = save_adapter(model, path, base=base, task=task)
    return Trained(adapter, grid_logits(model, task, _prepared(task, scan.file)))


def _prepared(task: Task, file: Path) -> torch.Tensor:
    return normalise(load_images([file]), task.preprocessing["intensity"])


def _head(base: Base, file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    features_of = deepcopy(base.model)
    features_of.out = nn.Identity()
    task = task_of("head")
    features = grid_logits(features_of, task, _prepared(task, file)).flatten(1)
    weight = torch.randn(task.classes, len(features), generator=torch.Generator().manual_seed(1)) / features.std(1)
    return weight[:, :, None, None, None], -(weight @ features).mean(1)
