"""BoRA: magnitudes of rows and of columns, the direction moved by a low-rank product."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method, factors_from_zero, scaled, start_norms


class BoRA(Method):
    """Rows first, `H = magnitude_out * V / norm_out(V)`, then columns, `magnitude_in * H / norm_in(H)`, of
    `V = W0 + s B A`.

    Wang et al. 2024 (arXiv:2412.06441). Only its abstract could be read; the order is that of a description by others.
    The magnitudes start at the norms of W0's rows and columns, so that H = W' = W0.
    """

    name = "bora"
    roles = ("up", "down", "magnitude_out", "magnitude_in")

    def __init__(self, weight: torch.Tensor, rank: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.rank, self.scale = rank, scale
        self.up, self.down = factors_from_zero(weight, rank)
        self.magnitude_out = nn.Parameter(start_norms(weight, "out"))
        self.magnitude_in = nn.Parameter(start_norms(weight, "in"))

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        rows = scaled(weight + self.scale * (self.up @ self.down), self.magnitude_out, "out")
        return scaled(rows, self.magnitude_in, "in")

    def entry(self) -> dict[str, Any]:
        return {"rank": self.rank, "scale": self.scale}
