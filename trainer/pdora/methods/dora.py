"""DoRA: magnitude and direction of a weight, the direction moved by a low-rank product."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method, factors_from_zero, scaled, start_norms


class DoRA(Method):
    """`magnitude * V / norm(V)`, `V = W0 + s B A`, the magnitude starting at norm(W0) (arXiv:2402.09353, eq. 2 and 5).

    Liu et al. 2024 write W as [in, out]: in PyTorch's [out, in] their "column" is a row, which is `norm_axis` "out", as
    in their code and in PEFT. "in", one magnitude a column, is LyCORIS's reading. With `detach_norm` the norm is a
    constant in the backward pass (section 4.3).
    """

    name = "dora"
    roles = ("up", "down", "magnitude")

    def __init__(
        self,
        weight: torch.Tensor,
        rank: int,
        *,
        norm_axis: str = "out",
        scale: float = 1.0,
        detach_norm: bool = True,
    ) -> None:
        super().__init__()
        self.rank, self.norm_axis, self.scale, self.detach_norm = rank, norm_axis, scale, detach_norm
        self.up, self.down = factors_from_zero(weight, rank)
        self.magnitude = nn.Parameter(start_norms(weight, norm_axis))

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        moved = weight + self.scale * (self.up @ self.down)
        return scaled(moved, self.magnitude, self.norm_axis, detach_norm=self.detach_norm)

    def entry(self) -> dict[str, Any]:
        return {"norm_axis": self.norm_axis, "rank": self.rank, "scale": self.scale}
