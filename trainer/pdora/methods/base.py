"""What a method is: a parametrization of one linear weight."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any, ClassVar

import torch
from torch import nn

_NORMED_DIM = {"out": 1, "in": 0}


class Method(nn.Module):
    """A parametrization `W0 -> W'` of one `[out, in]` weight.

    A subclass names itself as the adapter format does, creates its tensors from W0 in `__init__` under the format's
    role names (trained ones as parameters, frozen ones as buffers) and computes W' in `fused`. The keyword arguments of
    its `__init__` are the method's options.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]]
    low_rank: ClassVar[bool] = True
    least_rank: ClassVar[int] = 1

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The method's options, with their values where none is given."""
        parameters = signature(cls.__init__).parameters.values()
        return {one.name: one.default for one in parameters if one.kind is Parameter.KEYWORD_ONLY}

    def fused(self, weight: torch.Tensor) -> torch.Tensor:
        """W' [out, in] from the frozen W0, float32."""
        raise NotImplementedError

    def entry(self) -> dict[str, Any]:
        """The keys of this target in the manifest, beside `parameter` and `method`."""
        raise NotImplementedError

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        # A half-precision product would lose the small difference between W' and W0.
        with torch.autocast(weight.device.type, enabled=False):
            return self.fused(weight)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Role -> tensor, detached, float32 on the CPU: what the adapter file stores."""
        return {role: getattr(self, role).detach().float().cpu().contiguous() for role in self.roles}


def principal_factors(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Up [out, rank] and down [rank, in] of the best rank-`rank` approximation, by an exact SVD in float64.

    The singular values are shared evenly between the two. Rounded to float32, because these are the numbers that are
    stored and the residual is defined by them.
    """
    u, s, vh = torch.linalg.svd(weight.detach().double().cpu(), full_matrices=False)
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).float().contiguous(), (root[:, None] * vh[:rank]).float().contiguous()


def factors_from_zero(weight: torch.Tensor, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Up [out, rank] of zeros and down [rank, in] at random (LoRA's start, as Microsoft's and PEFT's code have it)."""
    out, columns = weight.shape
    down = torch.empty(rank, columns)
    nn.init.kaiming_uniform_(down, a=5**0.5)
    return nn.Parameter(torch.zeros(out, rank, device=weight.device)), nn.Parameter(down.to(weight.device))


def start_norms(v: torch.Tensor, axis: str) -> torch.Tensor:
    """Norms along an axis in float64, rounded to float32: where a magnitude starts, so that it changes nothing.

    "in" has one a column (length in), "out" one a row (length out). Raises ValueError for another axis, and for a norm
    of 0, which could not divide.
    """
    if axis not in _NORMED_DIM:
        raise ValueError(f"norm_axis: expected in or out, found {axis!r}")
    norms = v.detach().double().norm(dim=_NORMED_DIM[axis])
    if not bool((norms > 0).all()):
        raise ValueError(f"a zero norm along {axis} divides")
    return norms.float()


def scaled(v: torch.Tensor, magnitude: torch.Tensor, axis: str, *, detach_norm: bool = False) -> torch.Tensor:
    """`magnitude * V / norm(V)`; with `detach_norm` the norm counts as a constant in the backward pass."""
    norm = v.norm(dim=_NORMED_DIM[axis])
    return v * (magnitude / (norm.detach() if detach_norm else norm)).unsqueeze(_NORMED_DIM[axis])
