"""PiSSA: the principal part of a weight is trained, the residual stays frozen."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method, principal_factors


class PiSSA(Method):
    """`W0 - s B0 A0 + s B A`, where s B0 A0 is W0's best approximation of rank r and B and A start at B0 and A0.

    Meng et al. 2024 (arXiv:2404.02948), which shares the singular values evenly between the factors; with a scale, the
    singular values are divided by it first, as PEFT's code does. The SVD here is exact.
    """

    name = "pissa"
    roles = ("up", "down", "up0", "down0")

    def __init__(self, weight: torch.Tensor, rank: int, *, scale: float = 1.0) -> None:
        super().__init__()
        if scale <= 0:
            raise ValueError(f"scale: expected more than 0, found {scale}")
        self.rank, self.scale = rank, scale
        up0, down0 = (factor.to(weight.device) for factor in self.start(weight, rank))
        self.up, self.down = nn.Parameter(up0.clone()), nn.Parameter(down0.clone())
        self.register_buffer("up0", up0)
        self.register_buffer("down0", down0)

    def start(self, weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """B0 [out, rank] and A0 [rank, in], float32."""
        up0, down0 = principal_factors(weight, rank)
        return up0 / self.scale**0.5, down0 / self.scale**0.5

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.scale * (self.up @ self.down - self.up0 @ self.down0)

    def entry(self) -> dict[str, Any]:
        return {"rank": self.rank, "scale": self.scale}
