"""What reduced precision does to label maps: Dice of the shipped hippocampus adapter's against its own in float32, over
all its test cases. `python trainer/experiments/reduced.py --data ../shared/data/hippocampus`

Products and convolutions take and give rounded numbers and sum in float32, as hardware does; all else stays float32.
int8 is onnxruntime's dynamic one: weights by output channel, symmetric; inputs by their least and largest value. Writes
`reduced.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from run import HERE
from torch import nn
from tqdm import tqdm

from pdora.config import Config, read_config
from pdora.files import load_adapter, load_base
from pdora.predict import dice, predict

CONFIG = HERE.parent / "configs" / "hippocampus.yaml"
ADAPTER = HERE.parents[1] / "models" / "hippocampus" / "hippocampus.safetensors"

LINEAR = (nn.Linear,)
CONVOLUTIONS = (nn.Conv3d, nn.ConvTranspose3d)
MODES: dict[str, tuple[str, tuple[type[nn.Module], ...]]] = {
    "int8": ("int8", LINEAR + CONVOLUTIONS),
    "int8, convolutions alone": ("int8", CONVOLUTIONS),
    "int8, linear layers alone": ("int8", LINEAR),
    "bfloat16": ("bfloat16", LINEAR + CONVOLUTIONS),
    "float16": ("float16", LINEAR + CONVOLUTIONS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    config = read_config(CONFIG, "adapter", parser.parse_args().data)
    names = {label["value"]: label["name"] for label in config.task.labels[1:]}
    whole = labels(config, None)
    found = {}
    for mode in MODES:
        rounded = labels(config, mode)
        found[mode] = {
            name: summary([dice(a, b, value) for a, b in zip(rounded, whole, strict=True)])
            for value, name in names.items()
        }
        print(mode, json.dumps(found[mode]))
    (HERE / "reduced.json").write_text(json.dumps({"cases": len(whole), "dice": found}, indent=1) + "\n")


def labels(config: Config, mode: str | None) -> list[np.ndarray]:
    """The label map of every test case."""
    adapter = load_adapter(ADAPTER, load_base(config.base))
    if mode is not None:
        reduce(adapter.model, *MODES[mode])
    return [
        predict(adapter.model, adapter.task, config.data.files(case)[0]) for case in tqdm(config.data.test, desc=mode)
    ]


def summary(values: list[float]) -> dict[str, float]:
    return {"mean": round(float(np.mean(values)), 5), "least": round(min(values), 5)}


def reduce(model: nn.Module, precision: str, kinds: tuple[type[nn.Module], ...]) -> None:
    """Rounds the weights, the inputs and, in 16 bits, the outputs of these kinds of layer."""
    for layer in model.modules():
        if not isinstance(layer, kinds):
            continue
        if precision == "int8":
            layer.weight.data = symmetric(layer.weight.data, 1 if isinstance(layer, nn.ConvTranspose3d) else 0)
            layer.register_forward_pre_hook(lambda _, inputs: (by_range(inputs[0]),))
        else:
            to = narrowed(getattr(torch, precision))
            layer.weight.data = to(layer.weight.data)
            layer.register_forward_pre_hook(lambda _, inputs, to=to: (to(inputs[0]),))
            layer.register_forward_hook(lambda _, __, output, to=to: to(output))


def narrowed(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda values: values.to(dtype).float()


def symmetric(weight: torch.Tensor, axis: int) -> torch.Tensor:
    """Whole numbers of -127 to 127 of a step for each place of an axis."""
    others = [other for other in range(weight.ndim) if other != axis]
    steps = weight.abs().amax(dim=others).clamp_min(1e-12) / 127
    zeros = torch.zeros_like(steps, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, steps, zeros, axis, -127, 127)


def by_range(values: torch.Tensor) -> torch.Tensor:
    """0 to 255 steps from the least value to the largest, so placed that zero is one of them."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = max(high - low, 1e-12) / 255
    return torch.fake_quantize_per_tensor_affine(values, step, round(-low / step), 0, 255)


if __name__ == "__main__":
    main()
