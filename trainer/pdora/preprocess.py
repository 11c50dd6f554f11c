"""From image files to the network's grid and back, by MONAI's transforms and the rules of the adapter format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, NibabelReader
from monai.transforms import (
    EnsureChannelFirst,
    LoadImage,
    NormalizeIntensity,
    Orientation,
    ScaleIntensityRange,
    Spacing,
)
from monai.transforms.utils import convert_applied_interp_mode
from monai.utils.type_conversion import convert_to_tensor
from scipy import ndimage


def load_images(paths: Sequence[str | Path]) -> MetaTensor:
    """`[C, i, j, k]` float32 on the input's grid, one file a channel. Raises ValueError where the grids differ."""
    load, channel_first = LoadImage(reader=NibabelReader(), image_only=True), EnsureChannelFirst()
    images = [channel_first(load(str(path))) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape or not np.allclose(image.affine, images[0].affine, atol=1e-3):
            raise ValueError(f"{path} is not on the grid of {paths[0]}")
    first = images[0]
    return first if len(images) == 1 else MetaTensor(torch.cat([i.as_tensor() for i in images]), affine=first.affine)


class Grid:
    """The network's grid by a manifest's orientation and spacing, and the way back for what was found on it."""

    def __init__(self, preprocessing: Mapping[str, Any], *, nearest: bool = False) -> None:
        """`nearest` is for label maps; images are resampled trilinearly."""
        orientation, spacing = preprocessing["orientation"], preprocessing["spacing"]
        mode = "nearest" if nearest else "bilinear"
        self._steps: list[Orientation | Spacing] = []
        if orientation is not None:
            self._steps.append(Orientation(axcodes=orientation, labels=None))
        if spacing is not None:
            self._steps.append(Spacing(pixdim=spacing, mode=mode, padding_mode="border", dtype=torch.float64))

    def __call__(self, image: MetaTensor) -> MetaTensor:
        """`[C, i, j, k]` on the input's grid to float32 `[C, i, j, k]` on the network's."""
        for step in self._steps:
            image = step(image)
        return image.to(torch.float32)

    def labels_back(self, labels: torch.Tensor, like: MetaTensor) -> torch.Tensor:
        """Labels `[i, j, k]` on the network's grid to uint8 on the input's, by nearest voxel; `like` came from here."""
        operations = convert_applied_interp_mode(like.applied_operations, mode="nearest")
        back = MetaTensor(labels[None].float(), affine=like.affine, applied_operations=operations)
        for step in reversed(self._steps):
            back = step.inverse(back)
        return back.as_tensor()[0].round().to(torch.uint8)


def normalise(image: torch.Tensor, intensity: Mapping[str, Any]) -> torch.Tensor:
    """The `intensity` step of a manifest on `[C, i, j, k]`; a plain tensor, the input unchanged."""
    # NormalizeIntensity works in place.
    image, kind = convert_to_tensor(image, track_meta=False).clone(), intensity["kind"]
    if kind == "range":
        (a, b), (c, d) = intensity["from"], intensity["to"]
        image = ScaleIntensityRange(a_min=a, a_max=b, b_min=c, b_max=d, clip=intensity["clip"])(image)
    elif kind == "zscore" and intensity["mask"] == "positive":
        image = torch.stack([_zscore_positive(channel) for channel in image])
    elif kind == "zscore":
        image = NormalizeIntensity(nonzero=intensity["mask"] == "nonzero", channel_wise=True)(image)
    return convert_to_tensor(image, track_meta=False).float()


def _zscore_positive(channel: torch.Tensor) -> torch.Tensor:
    mask = channel > 0
    inside = channel[mask]
    deviation = inside.std(correction=0) if len(inside) else torch.tensor(1.0)
    scaled = (channel - inside.mean()) / torch.where(deviation == 0, 1.0, deviation)
    return torch.where(mask, scaled, 0.0)


def keep_largest_component(labels: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Per label, set all but the largest 26-connected component to 0; ties go to the one with the first voxel."""
    labels = labels.copy()
    for value in values:
        components, count = ndimage.label(labels == value, structure=np.ones((3, 3, 3)))
        if count > 1:
            sizes = np.bincount(components.ravel())
            sizes[0] = 0
            labels[(components > 0) & (components != sizes.argmax())] = 0
    return labels
