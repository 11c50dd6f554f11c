"""What a label map is worth against an expert's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance

from pdora.predict import dice


def scores(found: np.ndarray, truth: np.ndarray, value: int, spacing: Sequence[float]) -> dict[str, float | None]:
    """`dice` and `hd95` of one label of two maps [i, j, k] on a grid of `spacing` mm.

    `hd95` is MONAI's: the larger of the 95th percentiles of the two directed surface distances, in mm. It is None where
    either map has nothing of the label, as there is no surface to measure from.
    """
    a, b = found == value, truth == value
    distance = None
    if a.any() and b.any():
        pair = (torch.from_numpy(mask)[None, None] for mask in (a, b))
        sides = [float(side) for side in spacing]
        distance = round(float(compute_hausdorff_distance(*pair, True, percentile=95, spacing=sides)), 4)
    return {"dice": round(dice(found, truth, value), 4), "hd95": distance}
