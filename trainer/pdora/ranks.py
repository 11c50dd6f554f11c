"""The rank and the scale of each layer."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Ranks:
    """`patterns` are regular expressions for the end of a module's dotted name, the first match wins, as PEFT's
    `rank_pattern`. A layer that none matches gets `rank`; with `energy`, the least rank that keeps this share of the
    weight's squared singular values, and `rank` at most.
    """

    rank: int = 16
    patterns: Mapping[str, int] = field(default_factory=dict)
    energy: float | None = None

    def __post_init__(self) -> None:
        for name, rank in (("rank", self.rank), *(("rank_pattern", rank) for rank in self.patterns.values())):
            if rank < 1:
                raise ValueError(f"{name}: expected at least 1, found {rank}")
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"rank_pattern: {pattern!r} is no regular expression: {error}") from error
        if self.energy is not None and not 0 < self.energy <= 1:
            raise ValueError(f"rank_energy: expected more than 0 and at most 1, found {self.energy}")

    def pattern_of(self, parameter: str) -> str | None:
        """The first pattern that matches a parameter's module."""
        module = parameter.rpartition(".")[0]
        return next((p for p in self.patterns if re.fullmatch(rf"(.*\.)?({p})", module)), None)

    def of(self, parameter: str, weight: torch.Tensor) -> int:
        """The rank that is asked for, before any limit of the layer or the method."""
        pattern = self.pattern_of(parameter)
        if pattern is not None:
            return self.patterns[pattern]
        return self.rank if self.energy is None else min(self.rank, energy_rank(weight, self.energy))


def energy_rank(weight: torch.Tensor, share: float) -> int:
    """The least r whose r largest squared singular values are at least `share` of all."""
    energies = torch.linalg.svdvals(weight.detach().double().cpu()).square().cumsum(0)
    return min(int((energies < share * energies[-1]).sum()) + 1, len(energies))


def layer_ranks(weights: Mapping[str, torch.Tensor], ranks: Ranks, least: int) -> dict[str, int]:
    """The rank of every layer: at least `least`, at most half of its smaller side, and a warning says where that cuts.

    Raises ValueError for a pattern that matches no layer.
    """
    found = {ranks.pattern_of(name) for name in weights}
    if idle := [pattern for pattern in ranks.patterns if pattern not in found]:
        raise ValueError(f"rank_pattern {idle[0]!r} matches no target first")
    result: dict[str, int] = {}
    cut: dict[tuple[int, int], list[str]] = {}
    for name, weight in weights.items():
        asked, half = max(ranks.of(name, weight), least), min(weight.shape) // 2
        if half < asked:
            cut.setdefault((half, asked), []).append(name)
        result[name] = min(asked, half)
    for (half, asked), names in sorted(cut.items()):
        warnings.warn(f"rank {asked} cut to {half} (half of the smaller side) in {', '.join(names)}", stacklevel=4)
    return result


def resolved_scale(rank: int, alpha: float, rslora: bool) -> float:
    """The stored s of a layer: alpha / r, or with rsLoRA alpha / sqrt(r)."""
    return alpha / rank**0.5 if rslora else alpha / rank
