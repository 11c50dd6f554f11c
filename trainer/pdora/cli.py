"""Train a base or an adapter, store it, and measure the stored file on the test cases; convert a checkpoint; describe."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from monai.utils import set_determinism
from tqdm import tqdm

from pdora.attach import attach
from pdora.attention import fused_attention
from pdora.config import AttachOptions, Config, read_config
from pdora.convert import read_description, to_adapter, to_base
from pdora.describe import manifest_of, with_provenance
from pdora.files import Adapter, Base, load_base, save_adapter, save_base
from pdora.inputs import input_ranges
from pdora.network import build_network, new_head
from pdora.predict import predict
from pdora.ranks import Ranks
from pdora.scores import scores
from pdora.selftest import selftest_miss
from pdora.train import train


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if getattr(given, "threads", None):
        torch.set_num_threads(given.threads)
    try:
        if given.kind == "convert":
            stored = _convert(given)
        elif given.kind == "describe":
            return _describe(given)
        else:
            config = read_config(given.config, given.kind, given.data)
            stored = run(config, given.out or Path(f"{config.task.name}.safetensors"), resume=given.resume)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"pdora-train: {error}", file=sys.stderr)
        return 1
    size = f"{stored.path}: {stored.path.stat().st_size / 1e6:.2f} MB"
    print(size + (f", {stored.digest}" if isinstance(stored, Base) else ""))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pdora-train", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="base|adapter|convert|describe")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--threads", type=int, help="CPU threads")
    for kind in ("base", "adapter"):
        one = kinds.add_parser(kind, parents=[common], help=f"train {kind} and measure it on the test cases")
        one.add_argument("--config", required=True, type=Path, help="YAML file")
        one.add_argument("--data", type=Path, help="folder of the cases, instead of data.folder")
        one.add_argument("-o", "--out", type=Path, help="file to write (default: NAME.safetensors)")
        one.add_argument(
            "--resume", action="store_true", help="continue from OUT's checkpoint (.checkpoint.pt beside it)"
        )
    one = kinds.add_parser("convert", parents=[common], help="a .pt or .pth checkpoint to a base or an adapter")
    one.add_argument("checkpoint", type=Path)
    one.add_argument("--base", type=Path, help="the base it was fine-tuned from: writes an adapter, else a base")
    one.add_argument("--config", type=Path, help="YAML file with labels, channels, window; needed for a base")
    one.add_argument("-o", "--out", required=True, type=Path, help="file to write")
    one = kinds.add_parser("describe", help="add to a trained file what its training images were like; no weight changes")
    one.add_argument("file", type=Path)
    one.add_argument("--config", required=True, type=Path, help="YAML file that it was trained by")
    one.add_argument("--data", type=Path, help="folder of the cases, instead of data.folder")
    one.add_argument("-o", "--out", required=True, type=Path, help="file to write; may be FILE")
    return parser


def _describe(given: argparse.Namespace) -> int:
    """For what was trained before `pdora-train` wrote down its inputs."""
    manifest = manifest_of(given.file)
    config = read_config(given.config, "base" if "architecture" in manifest else "adapter", given.data)
    if (name := manifest["name"]) != config.task.name:
        raise ValueError(f"{given.file} is {name}, {given.config} describes {config.task.name}")
    print(f"{with_provenance(given.file, given.out, {'inputs': input_ranges(config)})}: described")
    return 0


def _convert(given: argparse.Namespace) -> Base | Adapter:
    description = None if given.config is None else read_description(given.config)
    if given.base is not None:
        adapter, summary = to_adapter(given.checkpoint, given.base, description, given.out)
        print(f"parameters: {summary}")
        return adapter
    if description is None:
        raise ValueError("a base needs --config: a checkpoint does not say its labels, channels and window")
    return to_base(given.checkpoint, description, given.out)


def run(config: Config, out: Path, *, resume: bool = False) -> Base | Adapter:
    """Train what the config describes and write it to `out`, with Dice on the test cases in its provenance."""
    set_determinism(config.seed)
    checkpoint = out.with_suffix(".checkpoint.pt")
    if config.architecture is not None:
        model = build_network(config.architecture)
        train(model, config, checkpoint, resume=resume)
        save = {"architecture": config.architecture}
        first: Base | Adapter = save_base(model, out, task=config.task, dtype=config.dtype, **save)
        return save_base(
            model, out, task=config.task, dtype=config.dtype, provenance=_provenance(config, first), **save
        )
    base = load_base(config.base)
    if (miss := selftest_miss(base.model, base.architecture.in_channels, base.manifest["selftest"])) > 1:
        raise ValueError(f"{config.base}: the self-test misses, {miss:.1f} times over its tolerance")
    model = attach(
        new_head(load_base(config.base).model, config.task.classes),
        method=config.method.name,
        rank=config.method.ranks or Ranks(),
        targets=config.method.targets,
        train=config.method.train,
        **config.method.options,
    )
    train(model, config, checkpoint, resume=resume)
    first = save_adapter(model, out, base=base, task=config.task, dtype=config.dtype)
    provenance = _provenance(config, first)
    return save_adapter(model, out, base=base, task=config.task, dtype=config.dtype, provenance=provenance)


def measure(config: Config, stored: Base | Adapter) -> list[dict[str, Any]]:
    """Dice and HD95 (mm) of every label on every test case, on the input's grid, of the network as stored.

    A mean of HD95 is over the cases that have one.
    """
    names = [label["name"] for label in config.task.labels[1:]]
    found: dict[str, dict[str, dict[str, float | None]]] = {name: {} for name in names}
    for case in tqdm(config.data.test, desc="testing", unit="case"):
        images, label_file = config.data.files(case)
        with fused_attention(stored.model):
            labels = predict(stored.model, stored.task, images)
        truth = nibabel.load(label_file)
        for label in config.task.labels[1:]:
            found[label["name"]][case] = scores(
                labels, np.asarray(truth.dataobj), label["value"], truth.header.get_zooms()[:3]
            )
    return [
        _metric(name, label, {case: one[key] for case, one in cases.items()})
        for label, cases in found.items()
        for name, key in (("Dice", "dice"), ("HD95", "hd95"))
        if cases
    ]


def _metric(name: str, label: str, cases: dict[str, float | None]) -> dict[str, Any]:
    values = [value for value in cases.values() if value is not None]
    mean = round(float(np.mean(values)), 4) if values else None
    return {"name": name, "label": label, "mean": mean, "undefined": len(cases) - len(values), "cases": cases}


def _provenance(config: Config, stored: Base | Adapter) -> dict[str, Any]:
    metrics = measure(config, stored)
    for metric in metrics:
        values = [value for value in metric["cases"].values() if value is not None]
        span = f"mean {metric['mean']:.3f}, {min(values):.3f} to {max(values):.3f}" if values else "no case"
        print(f"test {metric['name']} {metric['label']}: {span}")
    data = config.data
    return {
        "trainer": f"pdora {version('pdora')}, torch {torch.__version__.split('+')[0]}, monai {version('monai')}",
        **({} if config.method is None else {"method": _method(config.method)}),
        "seed": config.seed,
        "steps": config.training.steps,
        "datasets": [{"name": data.source, "train": data.train, "validation": data.validation, "test": data.test}],
        "inputs": input_ranges(config),
        "metrics": metrics,
        **({"limits": config.limits} if config.limits else {}),
    }


def _method(method: AttachOptions) -> dict[str, Any]:
    """As the config has it: what of it is resolved to numbers is in the targets."""
    ranks = method.ranks
    asked = (
        {} if ranks is None else {"rank": ranks.rank, "rank_pattern": dict(ranks.patterns), "rank_energy": ranks.energy}
    )
    return {"name": method.name, **{k: v for k, v in asked.items() if v}, **method.options}
