"""Writing and reading base and adapter files (safetensors with a manifest)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import SwinUNETR
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pdora.attach import attached, replaced
from pdora.checks import Section
from pdora.digest import base_digest
from pdora.fuse import fuse
from pdora.network import Architecture, build_network, new_head
from pdora.selftest import make_selftest
from pdora.task import Task, read_task

DTYPES = {"F32": torch.float32, "F16": torch.float16}
_VERSION = "1"


@dataclass(frozen=True)
class Base:
    """A stored base: its digest, and its network with the stored weights widened to float32, in eval mode.

    `dtypes` are those of the stored parameters.
    """

    path: Path
    digest: str
    architecture: Architecture
    task: Task
    manifest: dict[str, Any]
    model: SwinUNETR
    dtypes: Mapping[str, torch.dtype]


@dataclass(frozen=True)
class Adapter:
    """A stored adapter: its task, and the base's network with the adapter fused in, in eval mode."""

    path: Path
    task: Task
    manifest: dict[str, Any]
    model: SwinUNETR


def save_base(
    model: SwinUNETR,
    path: str | Path,
    *,
    architecture: Architecture,
    task: Task,
    dtype: str = "F32",
    provenance: Mapping[str, Any] | None = None,
) -> Base:
    """Write a base file and read it back. Raises ValueError where weights, architecture and labels do not fit."""
    if task.classes != architecture.out_channels:
        raise ValueError(f"{task.classes} classes for {architecture.out_channels} output channels")
    _check_channels(task, architecture)
    # Self-tests hold for the weights a reader gets, so the network is rebuilt from the rounded ones.
    parameters = dict(model.named_parameters())
    tensors = {name: as_stored(tensor, dtype, name) for name, tensor in parameters.items()}
    stored = _with_weights(build_network(architecture), tensors)
    manifest = {
        **task.to_manifest(),
        "architecture": architecture.to_dict(),
        "selftest": make_selftest(stored, architecture.in_channels, task.inference["roi_size"]),
        "provenance": dict(provenance or {}),
    }
    _write(path, "pdora-base", manifest, tensors)
    return load_base(path)


def load_base(path: str | Path) -> Base:
    """Read a base file. Raises ValueError for another format, and where tensors are missing or too many."""
    manifest = _manifest(path, "pdora-base")
    section = Section(dict(manifest), "manifest")
    task = read_task(section)
    architecture = Architecture.from_dict(manifest["architecture"])
    tensors = load_file(path)
    model = _with_weights(build_network(architecture), tensors)
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    return Base(Path(path), base_digest(path), architecture, task, manifest, model, dtypes)


def save_adapter(
    model: SwinUNETR,
    path: str | Path,
    *,
    base: Base,
    task: Task,
    dtype: str = "F32",
    provenance: Mapping[str, Any] | None = None,
) -> Adapter:
    """Write what `attach` put on the network and what was trained as a whole, and read it back.

    `base` is the stored base that training started from; `dtype` is how replaced parameters and differences are
    stored (low-rank tensors are always F32). The self-test comes from the stored numbers, fused into the stored base.
    """
    tensors, targets, names = adapter_parts(model, dtype)
    return write_adapter(tensors, targets, names, path, base=base, task=task, provenance=provenance)


def adapter_parts(model: SwinUNETR, dtype: str) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], list[str]]:
    """The tensors, targets and replaced parameters that a network's adapter file has."""
    tensors: dict[str, torch.Tensor] = {}
    targets = []
    for parameter, method in attached(model):
        targets.append({"parameter": parameter, "method": method.name, **method.entry()})
        for role, tensor in method.tensors().items():
            stored = as_stored(tensor, dtype if role == "delta" else "F32", f"{parameter}::{role}")
            tensors[f"{parameter}::{role}"] = stored
    names = replaced(model)
    for name in names:
        tensors[f"{name}::full"] = as_stored(model.get_parameter(name), dtype, name)
    return tensors, targets, names


def write_adapter(
    tensors: Mapping[str, torch.Tensor],
    targets: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    path: str | Path,
    *,
    base: Base,
    task: Task,
    provenance: Mapping[str, Any] | None = None,
) -> Adapter:
    """Write an adapter of given tensors, targets and replaced parameters (`names`), and read it back."""
    _check_channels(task, base.architecture)
    head = tensors.get("out.conv.conv.bias::full")
    classes = base.architecture.out_channels if head is None else head.numel()
    if classes != task.classes:
        raise ValueError(f"{task.classes} classes for a head of {classes} channels")
    manifest = {**task.to_manifest(), "base": base.digest, "targets": list(targets), "replaced": list(names)}
    fused = _fused(base, manifest, tensors)
    manifest["selftest"] = make_selftest(fused, base.architecture.in_channels, task.inference["roi_size"])
    manifest["provenance"] = dict(provenance or {})
    _write(path, "pdora-adapter", manifest, dict(tensors))
    return load_adapter(path, base)


def load_adapter(path: str | Path, base: Base) -> Adapter:
    """Read an adapter file, fuse it into a fresh network of its base in float64 and round once to float32.

    Raises ValueError for another format and for an adapter of another base.
    """
    manifest = _manifest(path, "pdora-adapter")
    if manifest["base"] != base.digest:
        raise ValueError(f"{path}: belongs to base {manifest['base']}, not to {base.digest}")
    task = read_task(Section(dict(manifest), "manifest"))
    return Adapter(Path(path), task, manifest, _fused(base, manifest, load_file(path)))


def _fused(base: Base, manifest: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> SwinUNETR:
    weights = {name: tensor.detach() for name, tensor in base.model.named_parameters()}
    for target in manifest["targets"]:
        parameter = target["parameter"]
        roles = {key.split("::")[1]: t for key, t in tensors.items() if key.split("::")[0] == parameter}
        weights[parameter] = fuse(target, weights[parameter], roles)
    for name in manifest["replaced"]:
        weights[name] = tensors[f"{name}::full"]
    model = new_head(build_network(base.architecture), weights["out.conv.conv.bias"].numel())
    return _with_weights(model, weights)


def _with_weights(model: SwinUNETR, weights: Mapping[str, torch.Tensor]) -> SwinUNETR:
    parameters = dict(model.named_parameters())
    if missing := sorted(parameters.keys() - weights.keys()):
        raise ValueError(f"tensors are missing: {', '.join(missing)}")
    if extra := sorted(weights.keys() - parameters.keys()):
        raise ValueError(f"the network has no {', '.join(extra)}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != weights[name].shape:
                raise ValueError(f"{name}: expected {list(parameter.shape)}, found {list(weights[name].shape)}")
            parameter.copy_(weights[name])
    return model.eval()


def as_stored(tensor: torch.Tensor, dtype: str, name: str) -> torch.Tensor:
    """Rounded to a dtype of `DTYPES`, on the CPU. Raises ValueError for another, and where that is not finite."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, found {dtype!r}")
    rounded = tensor.detach().cpu().to(DTYPES[dtype]).contiguous()
    if not bool(torch.isfinite(rounded).all()):
        raise ValueError(f"{name} is not finite as {dtype}")
    return rounded


def _check_channels(task: Task, architecture: Architecture) -> None:
    if len(task.channels) != architecture.in_channels:
        raise ValueError(f"{len(task.channels)} channels for a network of {architecture.in_channels}")


def _write(path: str | Path, kind: str, manifest: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    text = json.dumps(manifest, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": kind, "format_version": _VERSION, "manifest": text})


def _manifest(path: str | Path, kind: str) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("format") != kind or metadata.get("format_version") != _VERSION:
        found = f"{metadata.get('format')} {metadata.get('format_version')}"
        raise ValueError(f"{path}: expected {kind} version {_VERSION}, found {found}")
    return json.loads(metadata["manifest"])
