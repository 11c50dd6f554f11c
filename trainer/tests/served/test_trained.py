"""An adapter of every method, trained and not made up, served as PyTorch has it in training."""

from __future__ import annotations

import subprocess
from functools import cache

import numpy as np
import pytest
import torch
from conftest import PROJECT
from served.reference import agreement
from served.trained import cut_scan, train_adapter
from test_methods import CONFIGS, attach_case

# Files that differ in kind: a scale of its own, scalars, no targets. The service's verdict covers all by the same rules.
CHECKED_BY_THE_COMMAND = ("rslora", "map", "full")


@pytest.fixture(scope="session")
def scan(shared, base, tmp_path_factory):
    return cut_scan(tmp_path_factory.mktemp("scan"), shared / "data" / "hippocampus", "hippocampus_001", base)


@pytest.fixture(scope="session")
def train(base, scan, tmp_path_factory):
    """Trains and stores the adapter of a case; each case once."""
    folder = tmp_path_factory.mktemp("trained")

    @cache
    def trained(case):
        path = folder / f"trained-{case}.safetensors"
        return train_adapter(path, base, scan, lambda model: attach_case(model, case))

    return trained


@pytest.mark.parametrize("case", CONFIGS)
def test_a_trained_adapter_is_served_as_it_was_trained(train, tenant, base, scan, case, record_property):
    trained, name = train(case), f"trained-{case}"
    for target in trained.adapter.manifest["targets"]:
        w0, w = (model.get_parameter(target["parameter"]) for model in (base.model, trained.adapter.model))
        assert (w - w0).norm() > 1e-3 * w0.norm(), target["parameter"]
    shown = tenant.push(name, trained.adapter.path)
    assert (shown["status"], shown["problems"]) == ("ready", [])

    expected = trained.logits.argmax(0).numpy()
    found = np.asarray(tenant.segment(name, scan.file).image().dataobj)
    # Every class is a part worth comparing.
    assert np.bincount(expected.ravel(), minlength=3).min() > 0.01 * expected.size
    voxels, foreground = agreement(found, expected)
    assert voxels >= 0.999
    assert foreground >= 0.995

    image = tenant.segment(name, scan.file, output="probabilities").image()
    probabilities = torch.from_numpy(np.asarray(image.dataobj)).movedim(-1, 0)
    # A softmax leaves logits up to one number a voxel.
    difference = float((probabilities.log() - trained.logits.log_softmax(0)).abs().max())
    record_property("agreement", (voxels, foreground, difference))
    assert difference <= 1e-3


@pytest.mark.parametrize("case", CHECKED_BY_THE_COMMAND)
def test_a_trained_adapter_passes_the_check_of_the_command(train, base, case):
    command = [PROJECT / "node_modules" / ".bin" / "node", PROJECT / "cli" / "pdora.ts", "adapter", "check"]
    command += [train(case).adapter.path, "--base", base.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "valid adapter" in done.stdout
