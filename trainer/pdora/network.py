"""MONAI's SwinUNETR for an architecture of the base format, whatever MONAI version is installed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import PatchMergingV2
from torch import nn

# Which of the eight interleaved sub-grids goes where before the linear map. MONAI changed the order twice under
# one name, so the variant is part of the network and never taken from the installed version.
OCTANTS = {
    "legacy": ("000", "100", "010", "001", "101", "010", "001", "111"),
    "fixed": ("000", "100", "010", "001", "110", "101", "011", "111"),
    "v2": ("000", "001", "010", "011", "100", "101", "110", "111"),
}


class _Merging(PatchMergingV2):
    octants: tuple[str, ...]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, D, H, W, C] with even sides -> [B, D/2, H/2, W/2, 2C]."""
        parts = [x[:, int(i) :: 2, int(j) :: 2, int(k) :: 2] for i, j, k in self.octants]
        return self.reduction(self.norm(torch.cat(parts, -1)))


MERGING: dict[str, type[_Merging]] = {
    variant: type(f"PatchMerging_{variant}", (_Merging,), {"octants": octants}) for variant, octants in OCTANTS.items()
}


@dataclass(frozen=True)
class Architecture:
    """The eight keys of `architecture` in a base file's manifest."""

    feature_size: int
    in_channels: int
    out_channels: int
    patch_merging: str
    depths: tuple[int, ...] = (2, 2, 2, 2)
    num_heads: tuple[int, ...] = (3, 6, 12, 24)
    window_size: int = 7
    network: str = "SwinUNETR"

    def __post_init__(self) -> None:
        if self.network != "SwinUNETR":
            raise ValueError(f"architecture.network: expected SwinUNETR, found {self.network!r}")
        if self.patch_merging not in OCTANTS:
            raise ValueError(
                f"architecture.patch_merging: expected one of {', '.join(OCTANTS)}, found {self.patch_merging!r}"
            )
        if self.feature_size < 12 or self.feature_size % 12:
            raise ValueError(f"architecture.feature_size: expected a multiple of 12, found {self.feature_size}")
        if self.window_size != 7:
            raise ValueError(f"architecture.window_size: expected 7, found {self.window_size}")
        for key in ("in_channels", "out_channels"):
            if getattr(self, key) < 1:
                raise ValueError(f"architecture.{key}: expected at least 1, found {getattr(self, key)}")

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Architecture:
        """From the manifest's object; lists become tuples."""
        return Architecture(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def build_network(architecture: Architecture) -> SwinUNETR:
    """A SwinUNETR with fresh weights, in training mode, float32."""
    a = architecture
    return SwinUNETR(
        in_channels=a.in_channels,
        out_channels=a.out_channels,
        depths=a.depths,
        num_heads=a.num_heads,
        window_size=a.window_size,
        feature_size=a.feature_size,
        downsample=MERGING[a.patch_merging],
    )


def new_head(model: SwinUNETR, classes: int) -> SwinUNETR:
    """Replace the last 1x1x1 convolution by a fresh one with `classes` channels, in place."""
    old = model.out.conv.conv
    head = UnetOutBlock(spatial_dims=3, in_channels=old.in_channels, out_channels=classes)
    model.out = head.to(old.weight.device)
    return model


def linear_weights(model: nn.Module) -> list[str]:
    """Names of the transformer's linear weights, those that low-rank methods may touch (36 at depths 2, 2, 2, 2)."""
    return [
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.startswith("swinViT.layers")
    ]
