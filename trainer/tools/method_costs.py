"""The table of costs in docs/methods.md: `python trainer/tools/method_costs.py`.

Trained parameters and bytes of an adapter file for every method, for one channel in and two classes out, from networks
with the method attached and from tensors as a file holds them.
"""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from math import ceil
from typing import Any

from safetensors.torch import save

from pdora import Architecture, attach, build_network
from pdora.files import adapter_parts

SIZES = (24, 48)
# What the table calls it -> how it is attached.
ROWS: dict[str, dict[str, Any]] = {
    "`lora`": {"method": "lora"},
    "`pissa`": {"method": "pissa"},
    "`loram`": {"method": "loram"},
    "`dora`, axis out": {"method": "dora"},
    "`dora`, axis in": {"method": "dora", "norm_axis": "in"},
    "`pdora`, either form, axis in": {"method": "pdora"},
    "`pdora`, either form, axis out": {"method": "pdora", "norm_axis": "out"},
    "`bora`": {"method": "bora"},
    "`map`": {"method": "map"},
    "`delta`": {"method": "delta"},
    "`pdora`, axis in, with the decoder": {"method": "pdora", "train": ["decoder"]},
    "`head`": {"method": "head"},
    "`decoder`": {"method": "decoder"},
    "`full`": {"method": "full"},
}


def costs(feature_size: int) -> dict[str, tuple[int, int]]:
    """Row -> trained parameters and file bytes, everything stored as F32."""
    network = build_network(
        Architecture(feature_size=feature_size, in_channels=1, out_channels=2, patch_merging="fixed")
    )
    found = {}
    with warnings.catch_warnings():
        # Of ranks that are cut.
        warnings.simplefilter("ignore")
        for row, options in ROWS.items():
            model = attach(deepcopy(network), **options)
            tensors, targets, names = adapter_parts(model, "F32")
            manifest = json.dumps({"targets": targets, "replaced": names}, separators=(",", ":"))
            trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
            found[row] = trained, len(save(tensors, {"manifest": manifest}))
    return found


def cells(cost: tuple[int, int]) -> str:
    """Two cells of the table."""
    return f"{cost[0]:,} | {ceil(cost[1] / 1000):,}"


def table() -> str:
    """The whole of it, in Markdown."""
    header = " | ".join(f"trained, {size} | kB, {size}" for size in SIZES)
    lines = [f"| method | {header} |", "|---|" + "---:|" * (2 * len(SIZES))]
    by_size = [costs(size) for size in SIZES]
    lines += [f"| {row} | {' | '.join(cells(found[row]) for found in by_size)} |" for row in ROWS]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
