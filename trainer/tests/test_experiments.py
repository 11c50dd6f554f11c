"""The splits of everything trained on real subjects, and how sure the experiment is of a mean."""

import json
import runpy
import sys

import numpy as np
import pytest
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
