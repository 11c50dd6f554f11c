"""The definition of every method of the adapter format, in float64: the reference that other implementations meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def fuse(target: Mapping[str, Any], weight: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """W' in float64 from W0 [out, in], a manifest's target entry and its tensors by role.

    Raises ValueError for an unknown method and where a norm that divides is zero.
    """
    w0 = weight.double()
    t = {role: tensor.double() for role, tensor in tensors.items()}
    method, scale = target["method"], float(target.get("scale", 1))
    if method == "delta":
        return w0 + t["delta"]
    product = t["up"] @ t["down"]
    if method == "lora":
        return w0 + scale * product
    if method in ("pissa", "loram"):
        return w0 - scale * t["up0"] @ t["down0"] + scale * product
    if method == "dora":
        return _scaled(w0 + scale * product, t["magnitude"], target["norm_axis"])
    if method == "pdora":
        principal = t["up0"] @ t["down0"]
        moved = product if target["form"] == "factor" else principal + scale * product
        return w0 - principal + _scaled(moved, t["magnitude"], target["norm_axis"])
    if method == "bora":
        rows = _scaled(w0 + scale * product, t["magnitude_out"], "out")
        return _scaled(rows, t["magnitude_in"], "in")
    if method == "map":
        norm = product.norm()
        direction = product / norm if norm > 0 else product
        return t["alpha"] * w0 / w0.norm() + t["beta"] * direction
    raise ValueError(f"unknown method {method!r}")


def _scaled(v: torch.Tensor, magnitude: torch.Tensor, axis: str) -> torch.Tensor:
    """magnitude * V / norm(V), one norm a row ("out") or a column ("in")."""
    dim = {"out": 1, "in": 0}[axis]
    norm = v.norm(dim=dim)
    if not bool((norm > 0).all()):
        raise ValueError(f"a zero norm along {axis} divides")
    return v * (magnitude / norm).unsqueeze(dim)
