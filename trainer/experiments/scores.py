"""What a segmentation is worth, and how sure a mean of such numbers is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance

from pdora.predict import dice

_RESAMPLES = 10_000


def scores(found: np.ndarray, truth: np.ndarray, value: int, spacing: Sequence[float]) -> dict[str, float | None]:
    """`dice` and `hd95` of one label of two maps [i, j, k] on a grid of `spacing` mm.

    `hd95` is MONAI's: the larger of the 95th percentiles of the two directed surface distances, in mm. It is None where
    either map has nothing of the label, as there is no surface to measure from.
    """
    a, b = found == value, truth == value
    distance = None
    if a.any() and b.any():
        pair = (torch.from_numpy(mask)[None, None] for mask in (a, b))
        distance = round(float(compute_hausdorff_distance(*pair, True, percentile=95, spacing=list(spacing))), 4)
    return {"dice": round(dice(found, truth, value), 4), "hd95": distance}


def mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean, and the 2.5th and 97.5th percentiles of the means of 10,000 resamples of the cases (Efron 1979).

    It says how much the choice of test cases matters, not how much another seed of the training would.
    """
    if not values:
        return math.nan, math.nan, math.nan
    rng = np.random.default_rng(seed)
    means = rng.choice(np.asarray(values, float), (_RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(np.mean(values)), float(low), float(high)
