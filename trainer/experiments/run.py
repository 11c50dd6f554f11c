"""Adapters from few cases by every method, measured: `python trainer/experiments/run.py --data ../shared/data`.

Writes one line of JSON a run to `results.jsonl`; a run that has its line is not repeated, so a broken-off experiment
goes on where it was. `report.py` makes the table and the curves from these lines.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from brats import prepare_brats
from monai.utils import set_determinism

from pdora.attach import attach
from pdora.cli import measure
from pdora.cli import run as train_and_store
from pdora.config import AttachOptions, Config, read_config
from pdora.files import load_base, save_adapter
from pdora.network import new_head
from pdora.ranks import Ranks
from pdora.train import train

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
RANK = 8
DECODER = ("decoder",)
# Method -> what `attach` takes. On a base as small as this a frozen decoder learns little, so the low-rank methods
# train it too, as the shipped model does; `decoder` alone is what they are to beat. One learning rate for all.
METHODS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "pdora": ("pdora", DECODER, {"form": "factor", "norm_axis": "in"}),
    "lora": ("lora", DECODER, {"scale": 1.0}),
    "dora": ("dora", DECODER, {"norm_axis": "out", "scale": 1.0}),
    "pissa": ("pissa", DECODER, {"scale": 1.0}),
    "decoder": ("decoder", (), {}),
    "full": ("full", (), {}),
    "head": ("head", (), {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with brats2013 and hippocampus")
    parser.add_argument("--work", type=Path, default=Path("few-cases"), help="folder for the base and the adapters")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--cases", nargs="+", type=int, default=[16, 4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    given = parser.parse_args()
    base = pretrained(given.data / "brats2013", given.work)
    config = read_config(HERE / "few-cases.yaml", "adapter", given.data / "hippocampus")
    done = {(one["method"], one["cases"], one["seed"]) for one in recorded(given.results)}
    for seed, cases, method in itertools.product(given.seeds, given.cases, given.methods):
        if (method, cases, seed) not in done:
            line = one_run(replace(config, base=base), method, cases, seed, given.work)
            with given.results.open("a") as file:
                file.write(json.dumps(line) + "\n")


def recorded(results: Path) -> list[dict[str, Any]]:
    """The runs of a results file; none where there is no file."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def pretrained(source: Path, work: Path) -> Path:
    """The base of `brats-base.yaml`, trained once."""
    out, cases = work / "base.safetensors", work / "brats"
    if not out.exists():
        prepare_brats(source, cases)
        train_and_store(read_config(HERE / "brats-base.yaml", "base", cases), out, resume=True)
    return out


def one_run(config: Config, name: str, cases: int, seed: int, work: Path) -> dict[str, Any]:
    """Train method `name` on the first `cases` cases, store it, and measure the stored adapter on every test case."""
    method, trained, options = METHODS[name]
    config = replace(
        config,
        seed=seed,
        method=AttachOptions(method, list(trained), Ranks(RANK), None, options),
        data=replace(config.data, train=config.data.train[:cases]),
    )
    set_determinism(seed)
    base, out = load_base(config.base), work / f"{name}-{cases}-{seed}.safetensors"
    model = new_head(load_base(config.base).model, config.task.classes)
    attach(model, method, config.method.ranks, train=("head", *trained), **options)
    began = time.process_time()
    train(model, config, out.with_suffix(".checkpoint.pt"), resume=True)
    seconds = time.process_time() - began
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    adapter = save_adapter(model, out, base=base, task=config.task)
    return {
        "method": name,
        "cases": cases,
        "seed": seed,
        "steps": config.training.steps,
        "cpu_seconds": round(seconds, 1),
        "trained_parameters": count,
        "adapter_bytes": out.stat().st_size,
        "base": base.digest,
        "metrics": measure(config, adapter),
    }


if __name__ == "__main__":
    main()
