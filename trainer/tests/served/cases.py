"""The adapters that are served: one of every method, and those that replace parameters."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from served.client import Reply
from served.methods import CHANGE, METHODS, Given
from torch import nn
from torch.nn.utils import parametrize

from pdora import Adapter, Base, Task, new_head, save_adapter
from pdora.attach import HEAD
from pdora.network import linear_weights
from pdora.predict import grid_logits
from pdora.preprocess import Grid, load_images, normalise

# Parameters of every kind that an adapter may replace besides the head.
REPLACED: dict[str, tuple[str, ...]] = {
    "head": (),
    "decoder": ("decoder",),
    "anything": ("encoder2.", "norm1.", "relative_position_bias_table", "qkv.bias", "patch_embed"),
}
CASES = (*METHODS, *REPLACED, "regions")
# `delta` may be on any parameter: some convolutions beside the linear weights.
DELTA_CONVOLUTIONS = ("encoder1.layer.conv1.conv", "encoder10.layer.conv2.conv", "decoder3.conv_block.conv1.conv")

LABELS = (
    {"value": 0, "name": "background"},
    {"value": 1, "name": "anterior", "color": [230, 75, 53]},
    {"value": 2, "name": "posterior", "color": [77, 187, 213]},
)
REGIONS = ({"name": "whole", "value": 2}, {"name": "core", "value": 1})

Heads = Mapping[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Served:
    """An adapter, what the service shows of it, and its answer to the hippocampus."""

    adapter: Adapter
    shown: dict[str, Any]
    reply: Reply


def task_of(case: str) -> Task:
    """Some by one window, some by several; voxel sizes at which no voxel lies half way between two."""
    one = {"roi_size": [64, 64, 32], "overlap": 0.25, "blend": "gaussian"}
    several = {"roi_size": [32, 64, 64], "overlap": 0.5, "blend": "constant"}
    return Task(
        name=case,
        channels=["T1"],
        labels=[dict(label) for label in LABELS],
        inference=several if case in ("pdora-factor-in", "decoder") else one,
        preprocessing={
            "orientation": "RAS",
            "spacing": [0.9, 1.1, 1.15],
            "intensity": {"kind": "zscore", "mask": "nonzero"},
        },
        activation="sigmoid" if case == "regions" else "softmax",
        regions=[dict(region) for region in REGIONS] if case == "regions" else None,
    )


def head_weights(base: Base, image: Path) -> Heads:
    """By activation, weight and bias of a head whose classes all occur in an image."""
    task = task_of("head")
    features_of = deepcopy(base.model)
    features_of.out = nn.Identity()
    prepared = normalise(Grid(task.preprocessing)(load_images([image])), task.preprocessing["intensity"])
    features = grid_logits(features_of, task, prepared).flatten(1)
    g = torch.Generator().manual_seed(1)
    heads = {}
    for activation, classes in (("softmax", len(LABELS)), ("sigmoid", len(REGIONS))):
        weight = torch.randn(classes, len(features), generator=g) / features.std(1)
        heads[activation] = (weight[:, :, None, None, None], -(weight @ features).mean(1))
    return heads


def write_adapter(path: Path, base: Base, case: str, heads: Heads) -> Adapter:
    """Writes the adapter of a case with the trainer's own functions, as trained on `base`."""
    task, g = task_of(case), torch.Generator().manual_seed(crc32(case.encode()))
    model = new_head(deepcopy(base.model), task.classes).requires_grad_(False)
    if case in METHODS or case == "regions":
        method, make = METHODS["lora" if case == "regions" else case]
        layers = [name.removesuffix(".weight") for name in linear_weights(model)]
        for name in [*layers, *(DELTA_CONVOLUTIONS if method == "delta" else ())]:
            layer = model.get_submodule(name)
            parametrize.register_parametrization(layer, "weight", Given(method, *make(layer.weight, g)))
    else:
        for name, parameter in model.named_parameters():
            if any(part in name for part in REPLACED[case]) and name not in HEAD:
                noise = torch.randn(parameter.shape, generator=g)
                parameter.add_(CHANGE * parameter.square().mean().sqrt() * noise).requires_grad_(True)
    model.out.conv.conv.weight.copy_(heads[task.activation][0])
    model.out.conv.conv.bias.copy_(heads[task.activation][1])
    return save_adapter(model, path, base=base, task=task, provenance={"seed": crc32(case.encode())})
