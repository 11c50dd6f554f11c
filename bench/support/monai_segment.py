"""Segments a NIfTI file as users of MONAI do: monai_segment.py BASE --threads N [--device cuda] [--autocast].

The model is loaded first; then each line of standard input, `IMAGE OUTPUT` with a tab between, is answered by the
seconds from file to file.
"""

import argparse
import sys
import time

import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import (
    Compose,
    EnsureChannelFirst,
    Invert,
    LoadImage,
    NormalizeIntensity,
    Orientation,
    SaveImage,
    Spacing,
)
from pdora import load_base

parser = argparse.ArgumentParser()
parser.add_argument("base")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--device", default="cpu")
parser.add_argument("--autocast", action="store_true")
asked = parser.parse_args()
torch.set_num_threads(asked.threads)
base = load_base(asked.base)
model = base.model.to(asked.device).eval()
inference = base.task.inference
prepare = Compose(
    [
        LoadImage(image_only=True),
        EnsureChannelFirst(),
        Orientation(axcodes="RAS", labels=None),
        Spacing(pixdim=(1, 1, 1), mode="bilinear", padding_mode="border", dtype=torch.float64),
        NormalizeIntensity(nonzero=True, channel_wise=True),
    ]
)
back = Invert(transform=prepare, nearest_interp=True)


@torch.no_grad()
def segment(image: str, output: str) -> None:
    volume = prepare(image)
    with torch.autocast(asked.device, enabled=asked.autocast):
        logits = sliding_window_inference(
            volume[None].float().to(asked.device),
            roi_size=inference["roi_size"],
            sw_batch_size=1,
            predictor=model,
            overlap=inference["overlap"],
            mode=inference["blend"],
        )
    labels = MetaTensor(
        logits[0].argmax(0, keepdim=True).float().cpu(),
        affine=volume.affine,
        applied_operations=volume.applied_operations,
    )
    save = SaveImage(output_dtype="uint8", resample=False, print_log=False)
    save(back(labels), filename=output.removesuffix(".nii.gz"))


print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    segment(*line.rstrip("\n").split("\t"))
    print(time.perf_counter() - began, flush=True)
