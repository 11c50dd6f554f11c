"""What the images of a training are like before they are prepared, for the service to say where an input is unlike them."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np

from pdora.config import Config

_PERCENTILES = {"p1": 1, "p50": 50, "p99": 99}


def input_ranges(config: Config) -> dict[str, Any]:
    """Least and most over the training cases: spacing and extent in mm along the axes closest to right, anterior and
    superior, and of each channel the share of voxels that are not 0 and percentiles of these."""
    spacing, extent = [], []
    intensities: dict[str, list[dict[str, float]]] = {channel: [] for channel in config.task.channels}
    for case in config.data.train:
        images, _ = config.data.files(case)
        for channel, path in zip(config.task.channels, images, strict=True):
            image = nibabel.as_closest_canonical(nibabel.load(path))
            intensities[channel].append(_intensities(np.asarray(image.dataobj)))
        spacing.append(nibabel.affines.voxel_sizes(image.affine))
        extent.append(spacing[-1] * image.shape[:3])
    return {
        "spacing": [_range(side) for side in np.transpose(spacing)],
        "extent": [_range(side) for side in np.transpose(extent)],
        "intensities": {
            channel: {key: _range([one[key] for one in found]) for key in ("nonzero", *_PERCENTILES)}
            for channel, found in intensities.items()
        },
    }


def _intensities(voxels: np.ndarray) -> dict[str, float]:
    inside = voxels[voxels != 0]
    percentiles = np.percentile(inside, list(_PERCENTILES.values())) if inside.size else np.zeros(len(_PERCENTILES))
    return {"nonzero": inside.size / voxels.size, **dict(zip(_PERCENTILES, percentiles.tolist(), strict=True))}


def _range(values: Any) -> list[float]:
    """To six digits: more are not worth their place in a manifest."""
    return [float(f"{value:.6g}") for value in (min(values), max(values))]
