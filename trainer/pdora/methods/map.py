"""MAP: the weight and its update as two directions, each with one trained length."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method, factors_from_zero


class MAP(Method):
    """`alpha * W0 / |W0| + beta * B A / |B A|`, with Frobenius norms over the whole matrix.

    Si et al. 2025 (arXiv:2505.23094). The equation was read in descriptions by others, which do not say where
    the scalars start. Here alpha starts at |W0|, beta at 0, and B and A at random: a product of 0 has no direction, and
    from there B could not be trained.
    """

    name = "map"
    roles = ("up", "down", "alpha", "beta")

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.up, self.down = factors_from_zero(weight, rank)
        nn.init.kaiming_uniform_(self.up, a=5**0.5)
        norm = weight.detach().double().norm().float()
        if norm == 0:
            raise ValueError("a zero norm divides")
        self.alpha = nn.Parameter(norm.clone())
        self.beta = nn.Parameter(torch.zeros_like(norm))
        self.register_buffer("direction", weight.detach() / norm, persistent=False)

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        product = self.up @ self.down
        return self.alpha * self.direction + self.beta * product / product.norm()

    def entry(self) -> dict[str, Any]:
        return {"rank": self.rank}
