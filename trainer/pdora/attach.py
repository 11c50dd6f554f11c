"""Put a method on a SwinUNETR and freeze everything that is not trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import torch
from monai.networks.nets import SwinUNETR
from torch import nn
from torch.nn.utils import parametrize

from pdora.methods import METHODS, WHOLE, Method
from pdora.network import linear_weights
from pdora.ranks import Ranks, layer_ranks, resolved_scale

HEAD = ("out.conv.conv.weight", "out.conv.conv.bias")
LOW_RANK_TARGETS = ("qkv", "linear1", "linear2")


def attach(
    model: SwinUNETR,
    method: str = "pdora",
    rank: int | Ranks = 16,
    targets: Iterable[str] | None = None,
    train: Iterable[str] = ("head",),
    **options: Any,
) -> SwinUNETR:
    """Put `method` on every targeted linear weight of the transformer, in place, and freeze the rest but `train`.

    A target is a part of the dotted name ("qkv") or a pattern of all of it ("swinViT.layers4.*.linear?.weight");
    without any they are qkv, linear1 and linear2, and for `delta` all 36. `train` is "head" (always trained),
    "decoder", or a part or pattern of parameter names. The methods "head", "decoder" and "full" put nothing on a
    weight: they train these parameters whole.

    `options` go to the method (its `defaults()` lists them); `alpha` in place of `scale` makes it alpha / r, with
    `rslora` alpha / sqrt(r). The rank of a layer is at most half of its smaller side; a warning names the layers where
    that cuts it. Raises ValueError for an option that the method has not, and for a target or train name that matches
    nothing or is already taken.
    """
    if method not in METHODS and method not in WHOLE:
        raise ValueError(f"method: expected one of {', '.join((*METHODS, *WHOLE))}, found {method!r}")
    ranks = rank if isinstance(rank, Ranks) else Ranks(rank)
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise ValueError("this network already has a method attached")
    if method in WHOLE and targets is not None:
        raise ValueError(f"targets: method {method} has none")
    wanted = default_targets(method) if targets is None else targets
    parameters = [name for name, _ in model.named_parameters()]
    targeted = _matching(linear_weights(model), wanted, "target")
    trained = _matching(parameters, {"head", *train, *WHOLE.get(method, ())}, "train name")
    if both := sorted(set(targeted) & set(trained)):
        raise ValueError(f"both a target and trained as a whole: {', '.join(both)}")
    parts = _parts(method, {name: model.get_parameter(name) for name in targeted}, ranks, options)

    model.requires_grad_(False)
    for name in trained:
        model.get_parameter(name).requires_grad_(True)
    for name, part in parts.items():
        parametrize.register_parametrization(model.get_submodule(name.removesuffix(".weight")), "weight", part)
    return model


def default_targets(method: str) -> tuple[str, ...]:
    """The linear weights that a method is put on where none are named."""
    if method in WHOLE:
        return ()
    return LOW_RANK_TARGETS if METHODS[method].low_rank else ("*",)


def _parts(method: str, weights: dict[str, torch.Tensor], ranks: Ranks, options: dict[str, Any]) -> dict[str, Method]:
    kind = METHODS.get(method)
    options = dict(options)
    alpha, rslora = options.pop("alpha", None), options.pop("rslora", False)
    has = {} if kind is None else kind.defaults()
    if (alpha is not None or rslora) and "scale" not in has:
        raise ValueError(f"{'alpha' if alpha is not None else 'rslora'}: method {method} has no scale")
    if alpha is not None and "scale" in options:
        raise ValueError("alpha: the scale is given already")
    if rslora and alpha is None:
        raise ValueError("rslora: needs an alpha")
    if unknown := sorted(options.keys() - has.keys()):
        raise ValueError(f"{unknown[0]}: method {method} has no such option")
    if kind is None:
        return {}
    if not kind.low_rank:
        return {name: kind(weight) for name, weight in weights.items()}
    parts = {}
    for name, layer_rank in layer_ranks(weights, ranks, kind.least_rank).items():
        if alpha is not None:
            options["scale"] = resolved_scale(layer_rank, alpha, rslora)
        try:
            parts[name] = kind(weights[name], layer_rank, **options)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return parts


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
