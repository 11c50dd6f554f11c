"""LoRA: a low-rank product beside the frozen weight."""

from __future__ import annotations

from typing import Any

import torch

from pdora.methods.base import Method, factors_from_zero


class LoRA(Method):
    """`W0 + s B A`, with B at 0 and A at random (Hu et al. 2021, arXiv:2106.09685, section 4.1).

    `scale` is the s that is stored. The paper's is alpha / r; rsLoRA's (Kalajdzievski 2023, arXiv:2312.03732) is
    alpha / sqrt(r), so that the size of the update does not fall with the rank.
    """

    name = "lora"
    roles = ("up", "down")

    def __init__(self, weight: torch.Tensor, rank: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.rank, self.scale = rank, scale
        self.up, self.down = factors_from_zero(weight, rank)

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.scale * (self.up @ self.down)

    def entry(self) -> dict[str, Any]:
        return {"rank": self.rank, "scale": self.scale}
