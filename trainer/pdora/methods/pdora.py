"""PDoRA: the principal part of a weight, trained as magnitude and direction; the residual stays frozen."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pdora.methods.base import Method, factors_from_zero, principal_factors, scaled, start_norms


class PDoRA(Method):
    """`W0 - B0 A0 + magnitude * V / norm(V)`.

    Form `factor`: `V = B A`, with B and A starting at the principal factors B0 and A0. Form `additive`:
    `V = B0 A0 + s B A`, with B A starting at 0. In both the magnitude starts at the norm of B0 A0, so that W' = W0.
    `norm_axis` "in" has one magnitude a column (length in), "out" one a row (length out).

    Both forms are readings of the abstract (Zhu et al. 2025, Scientific Reports, doi:10.1038/s41598-025-11632-4) and of
    the names in the published code; the paper's own equations could not be read.
    """

    name = "pdora"
    roles = ("up", "down", "up0", "down0", "magnitude")

    def __init__(
        self, weight: torch.Tensor, rank: int, *, form: str = "factor", norm_axis: str = "in", scale: float = 1.0
    ) -> None:
        super().__init__()
        if form not in ("factor", "additive"):
            raise ValueError(f"form: expected factor or additive, found {form!r}")
        if form == "factor" and scale != 1:
            raise ValueError("scale: form factor has none")
        self.rank, self.form, self.norm_axis, self.scale = rank, form, norm_axis, scale
        up0, down0 = principal_factors(weight, rank)
        principal = up0.double() @ down0.double()
        device = weight.device
        if form == "factor":
            self.up, self.down = nn.Parameter(up0.clone().to(device)), nn.Parameter(down0.clone().to(device))
        else:
            self.up, self.down = factors_from_zero(weight, rank)
        self.magnitude = nn.Parameter(start_norms(principal, norm_axis).to(device))
        self.register_buffer("up0", up0.to(device))
        self.register_buffer("down0", down0.to(device))
        residual = weight.detach().double().cpu() - principal
        self.register_buffer("residual", residual.float().to(device), persistent=False)

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        product = self.up @ self.down
        if self.form == "additive":
            product = self.up0 @ self.down0 + self.scale * product
        return self.residual + scaled(product, self.magnitude, self.norm_axis)

    def entry(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"form": self.form, "norm_axis": self.norm_axis, "rank": self.rank}
        if self.form == "additive":
            entry["scale"] = self.scale
        return entry
