"""Segmentation in PyTorch: what the runner must agree with, and what Dice is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from pdora.preprocess import Grid, keep_largest_component, load_images, normalise
from pdora.task import Task


@torch.no_grad()
def predict(model: nn.Module, task: Task, images: Sequence[str | Path]) -> np.ndarray:
    """The label map uint8 [i, j, k] on the input's grid; one image file a channel, in the order of `task.channels`."""
    grid = Grid(task.preprocessing)
    image = grid(load_images(images))
    logits = grid_logits(model, task, normalise(image, task.preprocessing["intensity"]))
    return grid.labels_back(decide(logits, task), image).numpy()


@torch.no_grad()
def grid_logits(model: nn.Module, task: Task, prepared: torch.Tensor) -> torch.Tensor:
    """Blended logits [K, i, j, k] of a prepared volume [C, i, j, k], by MONAI's sliding window, in eval mode."""
    model.eval()
    device = next(model.parameters()).device
    inferer = SlidingWindowInferer(
        roi_size=task.inference["roi_size"],
        sw_batch_size=1,
        overlap=task.inference["overlap"],
        mode=task.inference["blend"],
    )
    return inferer(prepared[None].to(device), model)[0].float().cpu()


def decide(logits: torch.Tensor, task: Task) -> torch.Tensor:
    """Labels uint8 [i, j, k] on the network's grid, after the activation and the largest components."""
    if task.regions is None:
        labels = logits.argmax(0).to(torch.uint8)
    else:
        labels = torch.zeros(logits.shape[1:], dtype=torch.uint8)
        for region, logit in zip(task.regions, logits, strict=True):
            labels[logit.sigmoid() >= 0.5] = region["value"]
    if values := task.postprocessing.get("largest_component"):
        labels = torch.from_numpy(keep_largest_component(labels.numpy(), values))
    return labels


def dice(found: np.ndarray, truth: np.ndarray, value: int) -> float:
    """Dice of one label; 1 where both are empty."""
    a, b = found == value, truth == value
    size = int(a.sum()) + int(b.sum())
    return 1.0 if size == 0 else 2.0 * int((a & b).sum()) / size
