"""Full fine-tuning of a weight, as its difference to the base's."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method


class Delta(Method):
    """`W0 + delta`, the difference starting at 0. Weight decay then pulls towards the base instead of towards 0."""

    name = "delta"
    roles = ("delta",)
    low_rank = False

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.delta = nn.Parameter(torch.zeros_like(weight))

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.delta

    def entry(self) -> dict[str, Any]:
        return {}
