"""The splits of everything trained on real subjects, and how sure the experiment is of a mean."""

import json
import runpy
import sys

import numpy as np
import pytest
import torch
import yaml
from conftest import PROJECT

TRAINER = PROJECT / "trainer"
CONFIGS = [*sorted((TRAINER / "configs").glob("hippocampus*.yaml")), TRAINER / "experiments" / "few-cases.yaml"]


@pytest.fixture
def experiment(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TRAINER / "experiments"), *sys.path])
    return lambda name: runpy.run_path(str(TRAINER / "experiments" / f"{name}.py"))


@pytest.fixture(scope="session")
def subjects(shared):
    """Split -> the subjects of its cases; what is trained is told apart by config."""
    cases = json.loads((shared / "data" / "hippocampus" / "split.json").read_text())["cases"]
    groups = {int(one["id"].removeprefix("hippocampus_")): one["subject_group"] for one in cases}
    found = {}
    for file in CONFIGS:
        data = yaml.safe_load(file.read_text())["data"]
        for split in ("train", "validation", "test"):
            found[file.stem, split] = {groups[case] for case in data.get(split, [])}
    return found


def test_no_subject_of_a_test_was_trained_on_or_chosen_by(subjects):
    tested = set().union(*(groups for (_, split), groups in subjects.items() if split == "test"))
    used = set().union(*(groups for (_, split), groups in subjects.items() if split != "test"))
    assert tested
    assert not tested & used


def test_base_and_adapter_have_no_subject_in_common(subjects):
    assert not subjects["hippocampus-base", "train"] & subjects["hippocampus", "train"]


def test_the_interval_of_a_mean_is_that_of_its_standard_error(experiment):
    values = np.random.default_rng(5).normal(0.8, 0.1, 400)
    mean, low, high = experiment("intervals")["mean_interval"](list(values))
    error = 1.96 * values.std() / 20
    assert (mean, low, high) == pytest.approx((values.mean(), values.mean() - error, values.mean() + error), abs=1e-3)


def test_reduced_precision_rounds_to_what_the_format_can_hold(experiment):
    script = experiment("reduced")
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(4, 50, generator=generator) * torch.tensor([[1.0], [10.0], [0.1], [3.0]])
    rounded = script["symmetric"](values, 0)
    steps = values.abs().amax(1, keepdim=True) / 127
    assert (rounded - values).abs().le(steps / 2 * 1.001).all()
    assert all(len(row.unique()) > 20 for row in rounded)
    whole = script["by_range"](values)
    step = (values.max() - values.min()) / 255
    assert 1 < len(whole.unique()) <= 256
    assert (whole - values).abs().max() <= step
    layer = torch.nn.Linear(50, 3)
    before = layer(values)
    script["reduce"](layer, "bfloat16", script["LINEAR"])
    after = layer(values)
    assert 0 < (after - before).abs().max() < 0.05 * before.abs().max()
    assert torch.equal(after, after.bfloat16().float())
