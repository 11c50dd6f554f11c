"""LoRAM: LoRA that starts at fixed sine bases, as large as an SVD's would be."""

from __future__ import annotations

from math import log, pi, sqrt

import torch

from pdora.methods.pissa import PiSSA


class LoRAM(PiSSA):
    """`W0 - s B0 A0 + s B A` with B0 = beta Phi_out and A0 = beta Phi_in^T.

    Zhang et al. 2025 (arXiv:2507.06558), eq. 11 and 12 and algorithm 1: Phi_n [n, r] are the first columns of
    `sqrt(2 / (n + 1)) sin((i + 1)(j + 1) pi / (n + 1))`, and
    `beta = (log_min(out, in)(r) * nu[W0] / nu[Phi Phi^T]) ^ (1/4)` with nu the mean square, `nu[Phi Phi^T]` being
    r / (out in). At rank 1 beta is 0 and nothing could be trained.
    """

    name = "loram"
    least_rank = 2

    def start(self, weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        if rank < self.least_rank:
            raise ValueError(f"rank: loram needs at least {self.least_rank}, found {rank}")
        out, columns = weight.shape
        mean_square = float(weight.detach().double().square().mean())
        beta = (log(rank) / log(min(out, columns)) * mean_square * out * columns / rank) ** 0.25
        up0, down0 = beta * sines(out, rank), beta * sines(columns, rank).T
        return up0.float(), down0.float().contiguous()


def sines(size: int, rank: int) -> torch.Tensor:
    """The first columns of the orthogonal sine basis, float64 [size, rank]."""
    i = torch.arange(1, size + 1, dtype=torch.float64)
    j = torch.arange(1, rank + 1, dtype=torch.float64)
    return sqrt(2 / (size + 1)) * torch.sin(torch.outer(i, j) * pi / (size + 1))
