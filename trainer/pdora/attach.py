"""Put a low-rank method on a SwinUNETR and freeze everything that is not trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from monai.networks.nets import SwinUNETR
from torch import nn
from torch.nn.utils import parametrize

from pdora.methods import METHODS, Method
from pdora.network import linear_weights

HEAD = ("out.conv.conv.weight", "out.conv.conv.bias")


def attach(
    model: SwinUNETR,
    method: str = "pdora",
    rank: int = 16,
    targets: Iterable[str] = ("qkv", "linear1", "linear2"),
    train: Iterable[str] = ("head",),
    **options: Any,
) -> SwinUNETR:
    """Put `method` on every targeted linear weight of the transformer, in place, and freeze the rest but `train`.

    A target is a part of the dotted name ("qkv") or a pattern of all of it ("swinViT.layers4.*.linear?.weight").
    `train` is "head" (always trained), "decoder", or a part or pattern of parameter names. `options` go to the method
    (`form`, `norm_axis`, `scale`). The rank of a layer is at most half of its smaller side; a warning names the layers
    where that cuts it. Raises ValueError for a target or train name that matches nothing or is already taken.
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")
    if rank < 1:
        raise ValueError(f"rank: expected at least 1, found {rank}")
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise ValueError("this network already has a method attached")
    parameters = [name for name, _ in model.named_parameters()]
    targeted = _matching(linear_weights(model), targets, "target")
    trained = _matching(parameters, {"head", *train}, "train name")
    if both := sorted(set(targeted) & set(trained)):
        raise ValueError(f"both a target and trained as a whole: {', '.join(both)}")

    model.requires_grad_(False)
    for name in trained:
        model.get_parameter(name).requires_grad_(True)
    cut: dict[int, list[str]] = {}
    for name in targeted:
        layer = model.get_submodule(name.removesuffix(".weight"))
        half = min(layer.weight.shape) // 2
        if half < rank:
            cut.setdefault(half, []).append(name)
        part = METHODS[method](layer.weight, min(rank, half), **options)
        parametrize.register_parametrization(layer, "weight", part)
    for cut_rank, names in sorted(cut.items()):
        warnings.warn(f"rank {rank} cut to {cut_rank} (half of the smaller side) in {', '.join(names)}", stacklevel=2)
    return model


def attached(model: nn.Module) -> Iterator[tuple[str, Method]]:
    """Every weight with a method on it, by the base's parameter name."""
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            part = module.parametrizations["weight"][0]
            if isinstance(part, Method):
                yield f"{name}.weight", part


def replaced(model: nn.Module) -> list[str]:
    """Names of the parameters that are trained as a whole and travel with the adapter; the head always does."""
    trained = (name for name, p in model.named_parameters() if p.requires_grad and ".parametrizations." not in name)
    return sorted({*HEAD, *trained})


def _matching(names: list[str], patterns: Iterable[str], what: str) -> list[str]:
    found: set[str] = set()
    for pattern in patterns:
        if pattern == "head":
            hits = [name for name in names if name in HEAD]
        elif pattern == "decoder":
            hits = [name for name in names if name.startswith("decoder")]
        else:
            hits = [name for name in names if pattern in name.split(".") or fnmatchcase(name, pattern)]
        if not hits:
            raise ValueError(f"{what} {pattern!r} matches no parameter")
        found.update(hits)
    return [name for name in names if name in found]
