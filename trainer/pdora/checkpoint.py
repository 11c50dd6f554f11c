"""SwinUNETR checkpoints of PyTorch, MONAI's published ones among them, in the forms in which they are found."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import SwinUNETR

from pdora.network import Architecture, build_network

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.", "backbone.")
_BUFFER = "relative_position_index"
# What self-supervised pre-training adds to the transformer, and fine-tuning has no use for.
_PRETEXT = re.compile(r"(swinViT\.)?(mask_token|rotation_|contrastive_|conv\.|reconstruction|norm\.)")


@dataclass(frozen=True)
class Checkpoint:
    """A loaded network. `missing` are the parameters that the file had not: they are freshly initialised."""

    model: SwinUNETR
    architecture: Architecture
    missing: list[str]


def load_checkpoint(path: str | Path, *, patch_merging: str, out_channels: int | None = None) -> Checkpoint:
    """Read a `.pt` or `.pth` file, weights only: a state dict, bare or under `state_dict`, `model_state_dict` or
    `model`, its names with or without a wrapper's prefix. Nothing else is unpickled; a file with more is refused.

    Nothing in a checkpoint says which patch merging it was trained with, hence no default: `legacy` for MONAI 0.9.0 to
    1.4, `fixed` from 1.5 on, `v2` for `mergingv2`. Feature size, channels, depths and heads are read from the shapes.
    A self-supervised file holds the transformer alone: it needs `out_channels`, and a warning says what is fresh.
    Raises ValueError for anything that is no SwinUNETR of patch size 2 and window 7.
    """
    return checkpoint_of(read_weights(path), path, patch_merging=patch_merging, out_channels=out_channels)


def checkpoint_of(
    weights: Mapping[str, torch.Tensor], path: str | Path, *, patch_merging: str, out_channels: int | None = None
) -> Checkpoint:
    """As `load_checkpoint`, of tensors that `read_weights` has read from `path`."""
    architecture = _architecture(weights, patch_merging, out_channels, path)
    model = build_network(architecture)
    parameters = dict(model.named_parameters())

    missing = sorted(parameters.keys() - weights.keys())
    encoder_only = not any(name.startswith("decoder") for name in weights)
    if broken := [name for name in missing if not encoder_only or name.startswith("swinViT.")]:
        raise ValueError(f"{path}: tensors are missing: {', '.join(broken)}")
    if unknown := sorted(
        name for name in weights.keys() - parameters.keys() if not (encoder_only and _PRETEXT.match(name))
    ):
        raise ValueError(f"{path}: tensors that a SwinUNETR has not: {', '.join(unknown)}")
    with torch.no_grad():
        for name in parameters.keys() & weights.keys():
            if parameters[name].shape != weights[name].shape:
                raise ValueError(
                    f"{path}: {name}: expected {list(parameters[name].shape)}, found {list(weights[name].shape)}"
                )
            parameters[name].copy_(weights[name])
    if missing:
        groups = sorted({name.split(".")[0] for name in missing})
        warnings.warn(f"{path} holds the transformer alone; freshly initialised: {', '.join(groups)}", stacklevel=3)
    return Checkpoint(model, architecture, missing)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by MONAI's names, as they are stored. Raises ValueError for anything else in it."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # PyTorch's own message advises to switch this protection off.
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise ValueError(
            f"{path}: refused: {f'it asks for {asked[1]}, ' if asked else ''}no archive of tensors alone; code and "
            "other objects are never unpickled. Where it comes from, save torch.save(model.state_dict(), file)"
        ) from error
    return _normalised(content, path)


def _normalised(content: Any, path: str | Path) -> dict[str, torch.Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected a state dict, found {type(content).__name__}")
    weights = {}
    for name, tensor in content.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{path}: {name} is no tensor")
        while prefix := next((p for p in _PREFIXES if name.startswith(p)), None):
            name = name.removeprefix(prefix)
        name = name.replace(".mlp.fc1.", ".mlp.linear1.").replace(".mlp.fc2.", ".mlp.linear2.")
        if name.startswith(("layers", "patch_embed.")):
            name = f"swinViT.{name}"
        if not name.endswith(_BUFFER):
            weights[name] = tensor
    return weights


def _architecture(
    weights: Mapping[str, torch.Tensor], patch_merging: str, out_channels: int | None, path: str | Path
) -> Architecture:
    embedding = weights.get("swinViT.patch_embed.proj.weight")
    if embedding is None or embedding.shape[2:] != (2, 2, 2):
        raise ValueError(f"{path}: no SwinUNETR with 3D patches of 2 (swinViT.patch_embed.proj.weight)")
    if any(re.match(r"swinViT\.layers\dc\.", name) for name in weights):
        raise ValueError(f"{path}: a SwinUNETR-V2 (use_v2); only the first version is supported")
    depths, heads = [], []
    for stage in range(1, 5):
        blocks = {
            int(found[1])
            for name in weights
            if (found := re.match(rf"swinViT\.layers{stage}\.0\.blocks\.(\d+)\.", name))
        }
        table = weights.get(f"swinViT.layers{stage}.0.blocks.0.attn.relative_position_bias_table")
        if table is None or table.shape[0] != 13**3:
            raise ValueError(f"{path}: stage {stage} has no attention with a window of 7")
        depths.append(max(blocks) + 1)
        heads.append(table.shape[1])
    head = weights.get("out.conv.conv.bias")
    if head is None and out_channels is None:
        raise ValueError(f"{path} has no head: say out_channels")
    if head is not None and out_channels not in (None, head.numel()):
        raise ValueError(f"{path} has a head of {head.numel()} channels, not {out_channels}; see new_head")
    return Architecture(
        feature_size=embedding.shape[0],
        in_channels=embedding.shape[1],
        out_channels=head.numel() if head is not None else int(out_channels or 0),
        patch_merging=patch_merging,
        depths=tuple(depths),
        num_heads=tuple(heads),
    )
