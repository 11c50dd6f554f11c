"""Writes a base with fresh weights: make_base.py FEATURE_SIZE FILE."""

import sys

import torch
from pdora import Task, save_base
from pdora.network import Architecture, build_network

torch.manual_seed(0)
architecture = Architecture(feature_size=int(sys.argv[1]), in_channels=1, out_channels=3, patch_merging="fixed")
task = Task(
    name="bench",
    channels=["image"],
    labels=[{"value": value, "name": f"label {value}"} for value in range(3)],
    inference={"roi_size": [96, 96, 96], "overlap": 0.25, "blend": "gaussian"},
    preprocessing={
        "orientation": "RAS",
        "spacing": [1, 1, 1],
        "intensity": {"kind": "zscore", "mask": "nonzero"},
    },
)
model = build_network(architecture).eval()
save_base(model, sys.argv[2], architecture=architecture, task=task)
