"""An adapter of every method, pushed and used by name, against PyTorch with the fused weights."""

from itertools import combinations

import numpy as np
import pytest
from served.cases import CASES, REPLACED
from served.reference import agreement, labels, probabilities

from pdora.network import linear_weights


@pytest.mark.parametrize("case", CASES)
def test_a_pushed_adapter_segments_like_pytorch(serve, base, hippocampus, case, record_property):
    served = serve(case)
    found = np.asarray(served.reply.image().dataobj)
    expected = labels(served.adapter, base.architecture, hippocampus)
    voxels, foreground = agreement(found, expected)
    record_property("agreement", (voxels, foreground))
    # Every class is a part worth comparing.
    assert np.bincount(expected.ravel(), minlength=3).min() > 0.01 * expected.size
    assert voxels >= 0.999
    assert foreground >= 0.995


@pytest.mark.parametrize("case", [case for case in CASES if case not in REPLACED])
def test_the_adapters_move_every_targeted_weight(serve, base, case):
    """Otherwise the label maps would agree without the method."""
    adapter = serve(case).adapter
    targets = {target["parameter"] for target in adapter.manifest["targets"]}
    assert targets >= set(linear_weights(base.model))
    for name in targets:
        w0, w = (model.get_parameter(name).detach() for model in (base.model, adapter.model))
        assert 0.05 < float((w - w0).norm() / w0.norm()) < 0.5, name


def test_no_two_adapters_give_the_same_labels(serve):
    found = {case: np.asarray(serve(case).reply.image().dataobj) for case in CASES}
    for a, b in combinations(CASES, 2):
        assert (found[a] != found[b]).mean() > 0.01, (a, b)


def test_an_adapter_gives_the_same_bytes_after_all_others(serve, tenant, hippocampus):
    for case in CASES:
        serve(case)
    for case in CASES:
        assert tenant.segment(case, hippocampus).body == serve(case).reply.body, case


@pytest.mark.parametrize("case", ["pdora-factor-in", "regions"])
def test_probabilities_are_those_of_pytorch(serve, tenant, base, hippocampus, case, record_property):
    served = serve(case)
    image = tenant.segment(case, hippocampus, output="probabilities").image()
    found = np.asarray(image.dataobj)
    expected = probabilities(served.adapter, base.architecture, hippocampus)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert image.header["intent_code"] == 0
    difference = float(np.abs(found - expected).max())
    record_property("difference", difference)
    assert difference <= 2e-3
    assert np.ptp(found) > 0.5
