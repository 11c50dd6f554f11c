"""What a low-rank method is: a parametrization of one linear weight."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn


class Method(nn.Module):
    """A parametrization `W0 -> W'` of one `[out, in]` weight.

    A subclass names itself as the adapter format does, creates its tensors from W0 in `__init__` under the format's
    role names (trained ones as parameters, frozen ones as buffers) and computes W' in `fused`.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]]

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
