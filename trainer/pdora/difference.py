"""An adapter of a fine-tuned network: what it changed of its base, as small as that can be said exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pdora.files import Base, as_stored
from pdora.network import linear_weights


@dataclass
class Difference:
    """Tensors, targets and replaced parameters of an adapter, as the format has them."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    targets: list[dict[str, Any]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


def difference_to(base: Base, weights: Mapping[str, torch.Tensor], dtype: str) -> Difference:
    """What `weights`, by the base's parameter names, change of the base.

    A linear weight of the transformer becomes `lora` where its difference has a low rank, else `delta`; any other
    parameter is replaced. A parameter that the base holds already, or is the rounding of, is left out. `dtype` is how
    dense tensors are stored. Raises ValueError where nothing differs.
    """
    linear, found = set(linear_weights(base.model)), Difference()
    for name, parameter in base.model.named_parameters():
        w0, weight = parameter.detach(), weights[name]
        if w0.shape == weight.shape and _is_rounding(w0, weight, base.dtypes[name]):
            continue
        if name not in linear:
            found.tensors[f"{name}::full"] = as_stored(weight, dtype, name)
            found.replaced.append(name)
            continue
        factors = low_rank(w0, weight)
        if factors is None:
            delta = weight.double() - w0.double()
            found.tensors[f"{name}::delta"] = as_stored(delta, dtype, name)
            found.targets.append({"parameter": name, "method": "delta"})
        else:
            up, down = factors
            found.tensors |= {f"{name}::up": as_stored(up, "F32", name), f"{name}::down": as_stored(down, "F32", name)}
            found.targets.append({"parameter": name, "method": "lora", "rank": up.shape[1], "scale": 1.0})
    if not found.tensors:
        raise ValueError("nothing differs from the base")
    return found


def low_rank(w0: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Up [out, k] and down [k, in] in float64 with W0 + up down = W' to the rounding of W', from an exact SVD.

    None where that takes so many columns that the dense difference is smaller.
    """
    out, into = weight.shape
    u, s, vh = torch.linalg.svd(weight.double() - w0.double(), full_matrices=False)
    # Rounding changes every entry by at most eps / 2 of itself, so all singular values together by half of this; the
    # other half is for the arithmetic that made W'.
    floor = torch.finfo(weight.dtype).eps * float(weight.double().norm())
    rank = max(int((s > floor).sum()), 1)
    if rank * (out + into) >= out * into:
        return None
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * vh[:rank]


def _is_rounding(w0: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> bool:
    return torch.equal(weight.to(dtype).float(), w0)
