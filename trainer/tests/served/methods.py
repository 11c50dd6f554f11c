"""Adapters of every method of the format, moved about 20 % away from the base's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, pi, sqrt
from typing import Any

import torch

from pdora import fuse
from pdora.methods.base import Method, principal_factors

RANK = 4
CHANGE = 0.2

Tensors = dict[str, torch.Tensor]
Maker = Callable[[torch.Tensor, torch.Generator], tuple[dict[str, Any], Tensors]]


class Given(Method):
    """A method whose tensors are there already: what `save_adapter` needs in order to write it."""

    def __init__(self, name: str, entry: Mapping[str, Any], tensors: Tensors) -> None:
        super().__init__()
        self.name, self.roles, self.values = name, tuple(tensors), dict(entry)
        for role, tensor in tensors.items():
            self.register_buffer(role, tensor.float())

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        return fuse({"method": self.name, **self.values}, weight, self.tensors()).float()

    def entry(self) -> dict[str, Any]:
        return self.values


def lora(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    up, down = _product(w0, g)
    return {"rank": RANK, "scale": 2.0}, {"up": up / 2, "down": down}


def pissa(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    up0, down0 = principal_factors(w0, RANK)
    return {"rank": RANK, "scale": 0.5}, _moved_factors(up0 * 2, down0, g)


def loram(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    """Its start is the sine basis of LoRAM's paper, eq. 11 and 12."""
    (out, columns), rank = w0.shape, RANK
    mean_square = float(w0.square().mean())
    beta = (log(rank) / log(min(out, columns)) * mean_square * out * columns / rank) ** 0.25
    up0, down0 = beta * _sines(out, rank), beta * _sines(columns, rank).T
    up, down = _product(w0, g)
    moved = {"up": up0 + CHANGE * up0.std() / up.std() * up, "down": down0 + CHANGE * down0.std() / down.std() * down}
    return {"rank": rank}, {**moved, "up0": up0, "down0": down0}


def dora(axis: str) -> Maker:
    def make(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
        up, down = _product(w0, g)
        return {"rank": RANK, "norm_axis": axis}, {"up": up, "down": down, "magnitude": _noisy(_norm(w0, axis), g)}

    return make


def pdora(form: str, axis: str) -> Maker:
    def make(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
        up0, down0 = principal_factors(w0, RANK)
        entry = {"rank": RANK, "form": form, "norm_axis": axis}
        tensors = _moved_factors(up0, down0, g) | {"magnitude": _noisy(_norm(up0 @ down0, axis), g)}
        if form == "additive":
            up, down = _product(w0, g)
            entry, tensors = entry | {"scale": 0.5}, tensors | {"up": up * 2, "down": down}
        return entry, tensors

    return make


def bora(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    up, down = _product(w0, g)
    magnitudes = {f"magnitude_{axis}": _noisy(_norm(w0, axis), g) for axis in ("out", "in")}
    return {"rank": RANK}, {"up": up, "down": down, **magnitudes}


def map_(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    up, down = _product(w0, g)
    return {"rank": RANK}, {"up": up, "down": down, "alpha": 1.05 * w0.norm(), "beta": CHANGE * w0.norm()}


def delta(w0: torch.Tensor, g: torch.Generator) -> tuple[dict[str, Any], Tensors]:
    noise = torch.randn(w0.shape, generator=g)
    return {}, {"delta": CHANGE * w0.norm() / noise.norm() * noise}


# Case -> method, and what makes its tensors from W0.
METHODS: dict[str, tuple[str, Maker]] = {
    "lora": ("lora", lora),
    "pissa": ("pissa", pissa),
    "loram": ("loram", loram),
    "dora-in": ("dora", dora("in")),
    "dora-out": ("dora", dora("out")),
    "pdora-factor-in": ("pdora", pdora("factor", "in")),
    "pdora-factor-out": ("pdora", pdora("factor", "out")),
    "pdora-additive-in": ("pdora", pdora("additive", "in")),
    "pdora-additive-out": ("pdora", pdora("additive", "out")),
    "bora": ("bora", bora),
    "map": ("map", map_),
    "delta": ("delta", delta),
}


def _product(w0: torch.Tensor, g: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Up [out, r] and down [r, in] at random, with |up down| = CHANGE |W0|."""
    up = torch.randn(w0.shape[0], RANK, generator=g)
    down = torch.randn(RANK, w0.shape[1], generator=g)
    return up * (CHANGE * w0.norm() / (up @ down).norm()), down


def _moved_factors(up0: torch.Tensor, down0: torch.Tensor, g: torch.Generator) -> Tensors:
    return {"up": _noisy(up0, g), "down": _noisy(down0, g), "up0": up0, "down0": down0}


def _noisy(values: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    return values * (1 + CHANGE * torch.randn(values.shape, generator=g))


def _norm(weight: torch.Tensor, axis: str) -> torch.Tensor:
    return weight.norm(dim={"out": 1, "in": 0}[axis])


def _sines(size: int, rank: int) -> torch.Tensor:
    """sqrt(2 / (n + 1)) sin((i + 1)(j + 1) pi / (n + 1)), its first columns [n, rank]."""
    i = torch.arange(1, size + 1, dtype=torch.float64)
    j = torch.arange(1, rank + 1, dtype=torch.float64)
    return sqrt(2 / (size + 1)) * torch.sin(torch.outer(i, j) * pi / (size + 1))
