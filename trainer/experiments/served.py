"""Served equals trained: Dice by the API against Dice in PyTorch, over all test cases of a shipped adapter.

    PDORA_KEY=... python trainer/experiments/served.py --url http://localhost:8787 --data ../shared/data/hippocampus

The service must have the adapter under its name (`pdora push`). Writes `served.json`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import nibabel
import numpy as np
from run import HERE
from tqdm import tqdm

from pdora.config import Config, read_config
from pdora.files import load_adapter, load_base
from pdora.predict import dice, predict

CONFIG = HERE.parent / "configs" / "hippocampus.yaml"
ADAPTER = HERE.parents[1] / "models" / "hippocampus" / "hippocampus.safetensors"
_DEADLINE_SECONDS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    found = compare(given.url, os.environ["PDORA_KEY"], read_config(CONFIG, "adapter", given.data))
    (HERE / "served.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key != "cases"}))


def compare(url: str, key: str, config: Config) -> dict[str, object]:
    """Dice of both and the voxels that differ, of every test case; over all, means and the largest difference."""
    adapter = load_adapter(ADAPTER, load_base(config.base))
    cases = {}
    for case in tqdm(config.data.test, unit="case"):
        images, label_file = config.data.files(case)
        truth = np.asarray(nibabel.load(label_file).dataobj)
        here, served = predict(adapter.model, adapter.task, images), segment(url, key, config.task.name, images[0])
        both = {
            label["name"]: [dice(found, truth, label["value"]) for found in (here, served)]
            for label in config.task.labels[1:]
        }
        cases[case] = {"dice": both, "voxels": truth.size, "different": int((here != served).sum())}
    names = [label["name"] for label in config.task.labels[1:]]
    pairs = {name: np.array([case["dice"][name] for case in cases.values()]) for name in names}
    return {
        "pytorch": {name: round(float(values[:, 0].mean()), 4) for name, values in pairs.items()},
        "served": {name: round(float(values[:, 1].mean()), 4) for name, values in pairs.items()},
        "largest_difference": max(float(np.abs(values[:, 0] - values[:, 1]).max()) for values in pairs.values()),
        "voxels": sum(case["voxels"] for case in cases.values()),
        "different": sum(case["different"] for case in cases.values()),
        "cases": cases,
    }


def segment(url: str, key: str, adapter: str, image: Path) -> np.ndarray:
    """The label map [i, j, k] that the service answers."""
    request = Request(
        f"{url}/v1/segmentations?adapter={adapter}&deadline={_DEADLINE_SECONDS}",
        data=image.read_bytes(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"},
    )
    with build_opener(ProxyHandler({})).open(request, timeout=_DEADLINE_SECONDS) as reply:
        return np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(reply.read())).dataobj)


if __name__ == "__main__":
    main()
