"""`pdora-train convert CHECKPOINT`: a PyTorch checkpoint as a base, or against its base as an adapter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml

from pdora.checkpoint import checkpoint_of, load_checkpoint, read_weights
from pdora.checks import ConfigError, Section
from pdora.difference import difference_to
from pdora.files import DTYPES, Adapter, Base, load_base, save_base, write_adapter
from pdora.network import OCTANTS
from pdora.task import Task, read_task


@dataclass(frozen=True)
class Description:
    """What a checkpoint does not say of itself: the manifest's keys, the patch merging of a base, the stored dtype."""

    task: Task
    dtype: str
    patch_merging: str | None


def read_description(path: Path) -> Description:
    """A YAML file with the task's keys of a training config, `store`, and for a base `architecture.patch_merging`."""
    try:
        section = Section(yaml.safe_load(path.read_text()), "")
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    task = read_task(section)
    store = section.section("store", {})
    dtype = store.choice("dtype", tuple(DTYPES), "F32")
    store.done()
    patch_merging = None
    if (architecture := section.get("architecture", dict, None)) is not None:
        only = Section(architecture, "architecture")
        patch_merging = only.choice("patch_merging", tuple(OCTANTS))
        only.done()
    section.done()
    return Description(task, dtype, patch_merging)


def to_base(checkpoint: Path, description: Description, out: Path) -> Base:
    """The checkpoint as a base file. Raises ValueError where weights, labels and channels do not fit."""
    if description.patch_merging is None:
        raise ConfigError("architecture.patch_merging: missing; nothing in a checkpoint says it")
    task = description.task
    read = load_checkpoint(checkpoint, patch_merging=description.patch_merging)
    return save_base(
        read.model,
        out,
        architecture=read.architecture,
        task=task,
        dtype=description.dtype,
        provenance={"converted_from": checkpoint.name},
    )


def to_adapter(checkpoint: Path, base_file: Path, description: Description | None, out: Path) -> tuple[Adapter, str]:
    """The checkpoint as an adapter of a base, and how many parameters became what.

    Without a description the task is the base's own, under the name of `out`. Raises ValueError for a network of
    another architecture than the base's, but for its head.
    """
    base = load_base(base_file)
    weights = read_weights(checkpoint)
    read = checkpoint_of(weights, checkpoint, patch_merging=base.architecture.patch_merging)
    if read.missing:
        raise ValueError(f"{checkpoint}: tensors are missing: {', '.join(read.missing)}")
    if replace(read.architecture, out_channels=base.architecture.out_channels) != base.architecture:
        raise ValueError(f"{checkpoint}: a network of {read.architecture}, the base is of {base.architecture}")
    if description is None:
        description = Description(replace(base.task, name=out.stem), "F32", None)
    if description.patch_merging not in (None, base.architecture.patch_merging):
        raise ConfigError(f"architecture.patch_merging: the base's is {base.architecture.patch_merging}")
    found = difference_to(base, {name: _float(tensor) for name, tensor in weights.items()}, description.dtype)
    adapter = write_adapter(
        found.tensors,
        found.targets,
        found.replaced,
        out,
        base=base,
        task=description.task,
        provenance={"converted_from": checkpoint.name},
    )
    kinds = Counter(target["method"] for target in found.targets)
    ranks = [target["rank"] for target in found.targets if "rank" in target]
    low = f"{kinds['lora']} low-rank" + (f" (rank {min(ranks)} to {max(ranks)})" if ranks else "")
    same = len(list(base.model.parameters())) - len(found.targets) - len(found.replaced)
    return adapter, f"{low}, {kinds['delta']} dense, {len(found.replaced)} replaced, {same} as in the base"


def _float(tensor: torch.Tensor) -> torch.Tensor:
    """A half-precision tensor stays one: its rounding is what the search for a low rank must see past."""
    return tensor if tensor.dtype in (torch.float16, torch.bfloat16, torch.float32) else tensor.float()
