"""Training samples: cases prepared once and kept in memory, random crops made anew for every step."""

from __future__ import annotations

from math import radians
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAffined,
    RandBiasFieldd,
    RandCropByLabelClassesd,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    SpatialPadd,
    Transform,
)
from torch.utils.data import Dataset
from tqdm import tqdm

from pdora.config import Config
from pdora.preprocess import Grid, load_images, normalise


def prepare_cases(config: Config, cases: list[str]) -> list[dict[str, torch.Tensor]]:
    """`image` [C, i, j, k] normalised and `label` uint8 [1, i, j, k] of each case, on the network's grid."""
    steps, prepared = config.task.preprocessing, []
    image_grid, label_grid = Grid(steps), Grid(steps, nearest=True)
    for case in tqdm(cases, desc="preparing", unit="case", leave=False):
        images, label_file = config.data.files(case)
        image = image_grid(load_images(images))
        label = label_grid(load_images([label_file]))
        if label.shape[1:] != image.shape[1:]:
            raise ValueError(f"{label_file} is not on the grid of {images[0]}")
        values = label.as_tensor().round()
        if values.min() < 0 or values.max() >= len(config.task.labels):
            raise ValueError(
                f"{label_file}: values {int(values.min())} to {int(values.max())} for {len(config.task.labels)} labels"
            )
        image = normalise(image, steps["intensity"])
        prepared.append({"image": image, "label": values.to(torch.uint8)})
    return prepared


def random_crop(config: Config) -> Compose:
    """A random window of a prepared case, centred on classes by `crop_ratios`, then changed as `augmentation` says."""
    roi, a = config.task.inference["roi_size"], config.training.augmentation
    both = ("image", "label")
    transforms: list[Transform] = [
        SpatialPadd(both, spatial_size=roi),
        RandCropByLabelClassesd(
            both,
            label_key="label",
            spatial_size=roi,
            ratios=config.training.crop_ratios,
            num_classes=config.task.classes,
            num_samples=1,
            warn=False,
        ),
    ]
    if a.rotate_degrees or a.scale:
        angle = radians(a.rotate_degrees)
        transforms.append(
            RandAffined(
                both,
                prob=0.5,
                rotate_range=(angle,) * 3,
                scale_range=(a.scale,) * 3,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            )
        )
    transforms += [RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in a.flip_axes]
    if a.bias_field:
        transforms.append(RandBiasFieldd("image", prob=0.3, coeff_range=(0.0, a.bias_field)))
    if a.intensity:
        transforms.append(RandScaleIntensityd("image", factors=a.intensity, prob=0.5))
        transforms.append(RandShiftIntensityd("image", offsets=a.intensity, prob=0.5))
    if a.noise:
        transforms.append(RandGaussianNoised("image", prob=0.5, std=a.noise))
    return Compose(transforms)


class Samples(Dataset[dict[str, torch.Tensor]]):
    """Sample `n` depends on the seed and `n` alone, so a resumed run sees what an unbroken one would have seen."""

    def __init__(self, config: Config, cases: list[dict[str, torch.Tensor]], start: int, stop: int) -> None:
        self._seed, self._cases, self._start, self._stop = config.seed, cases, start, stop
        self._crop = random_crop(config)

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        n = self._start + index
        epoch, place = divmod(n, len(self._cases))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._cases))
        self._crop.set_random_state(seed=int(np.random.default_rng((self._seed, 1, n)).integers(2**31)))
        sample: Any = self._crop(dict(self._cases[order[place]]))[0]
        return {"image": sample["image"].as_tensor().float(), "label": sample["label"].as_tensor().long()}
