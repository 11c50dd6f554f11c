"""The self-test in every file: a few logits of a known input, by which a reader can tell that it computes the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

_POSITIONS, _CHANNELS_MAX = 64, 256


def selftest_values(index: np.ndarray) -> np.ndarray:
    """`(i * 2654435761 mod 2^32) / 2^31 - 1` of flat indices, float32."""
    mixed = (index.astype(np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    return (mixed / 2.0**31 - 1).astype(np.float32)


def selftest_input(in_channels: int, roi_size: Sequence[int]) -> torch.Tensor:
    """`[1, in_channels, *roi_size]` of `selftest_values` over its flat index."""
    shape = (1, in_channels, *roi_size)
    return torch.from_numpy(selftest_values(np.arange(np.prod(shape))).reshape(shape))


def make_selftest(model: nn.Module, in_channels: int, roi_size: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """The manifest's `selftest` of a network with stored weights: logits at positions spread over every channel."""
    logits = _logits(model, in_channels, roi_size)
    channels, voxels = logits.shape[1], int(np.prod(roi_size))
    if channels > _CHANNELS_MAX:
        raise ValueError(f"a self-test covers at most {_CHANNELS_MAX} channels, the head has {channels}")
    per_channel = max(_POSITIONS // channels, 1)
    rng = np.random.default_rng(seed)
    positions = [
        int(channel * voxels + place)
        for channel in range(channels)
        for place in sorted(rng.choice(voxels, per_channel, replace=False))
    ]
    flat = logits.flatten()
    return {
        "roi_size": [int(side) for side in roi_size],
        "positions": positions,
        "expected": [float(flat[position]) for position in positions],
    }


def selftest_miss(model: nn.Module, in_channels: int, selftest: Mapping[str, Any]) -> float:
    """Largest difference to `expected` over the tolerance `1e-3 * max(1, max|expected|)`: at most 1 where it passes."""
    flat = _logits(model, in_channels, selftest["roi_size"]).flatten()
    expected = torch.tensor(selftest["expected"])
    difference = (flat[torch.tensor(selftest["positions"])] - expected).abs().max()
    return float(difference / (1e-3 * max(1.0, float(expected.abs().max()))))


@torch.no_grad()
def _logits(model: nn.Module, in_channels: int, roi_size: Sequence[int]) -> torch.Tensor:
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    logits = model(selftest_input(in_channels, roi_size).to(device)).float().cpu()
    model.train(was_training)
    return logits
