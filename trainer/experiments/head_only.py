"""The shipped hippocampus base with nothing but a new head, on the cases of the shipped adapter: what the adapter's own
weights are worth beside it. `python trainer/experiments/head_only.py --data ../shared/data/hippocampus`

Writes `head-only.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from intervals import mean_interval
from run import HERE, one_run
from tables import labels, per_case

from pdora.config import read_config

CONFIG = HERE.parent / "configs" / "hippocampus.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder for checkpoints, to go on where it was broken off")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = read_config(CONFIG, "adapter", given.data)
        # A head alone bears a greater rate than what the adapter trains besides.
        config = replace(config, training=replace(config.training, learning_rate=2e-3))
        found = one_run(config, "head", len(config.data.train), config.seed, given.work or Path(folder))
    (HERE / "head-only.json").write_text(json.dumps(found) + "\n")
    for label in labels(found):
        for name in ("Dice", "HD95"):
            mean, low, high = mean_interval(per_case([found], label, name))
            print(f"{label}, {name}: {mean:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
