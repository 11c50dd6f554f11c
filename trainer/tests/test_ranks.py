import pytest
import torch

from pdora import attach, attached, build_network
from pdora.ranks import Ranks, energy_rank, layer_ranks

NAME = "swinViT.layers{}.0.blocks.0.{}.weight"


@pytest.fixture
def model(architecture):
    torch.manual_seed(1)
    return build_network(architecture)


def with_spectrum(values):
    g = torch.Generator().manual_seed(3)
    u, v = (torch.linalg.qr(torch.randn(size, len(values), generator=g, dtype=torch.float64))[0] for size in (40, 30))
    return (u * torch.tensor(values, dtype=torch.float64)) @ v.T


# Squares 16, 9, 4, 1 of 30: shares 0.533, 0.833, 0.967, 1.
@pytest.mark.parametrize(("share", "rank"), [(0.5, 1), (0.54, 2), (0.83, 2), (0.84, 3), (0.96, 3), (0.97, 4)])
def test_the_rank_of_a_share_of_energy_is_the_least_that_keeps_it(share, rank):
    assert energy_rank(with_spectrum([4.0, 3.0, 2.0, 1.0]), share) == rank


def test_a_dead_weight_and_a_whole_share_have_a_rank():
    assert energy_rank(torch.zeros(8, 6), 0.9) == 1
    assert energy_rank(torch.randn(8, 6), 1.0) <= 6


def test_energy_is_bounded_by_the_rank_and_patterns_come_first():
    ranks = Ranks(3, {"qkv": 7}, energy=0.97)
    assert ranks.of(NAME.format(1, "mlp.linear1"), with_spectrum([4.0, 3.0, 2.0, 1.0])) == 3
    assert ranks.of(NAME.format(1, "mlp.linear1"), with_spectrum([9.0, 1.0])) == 1
    assert ranks.of(NAME.format(1, "attn.qkv"), with_spectrum([9.0, 1.0])) == 7


def test_the_first_pattern_that_matches_wins_as_in_peft(model):
    patterns = {
        r"layers4\..*\.qkv": 9,
        r"mlp\.linear[12]": 3,
        "qkv": 5,
        "kv": 1,
        "swinViT.layers1.0.blocks.0.mlp.linear1": 2,
    }
    with pytest.raises(ValueError, match=r"rank_pattern 'kv' matches no target"):
        attach(model, "lora", rank=Ranks(4, patterns))
    # A part of a name is no end of it, and what an earlier pattern takes is taken.
    del patterns["kv"]
    with pytest.raises(ValueError, match=r"blocks.0.mlp.linear1' matches no target"):
        attach(model, "lora", rank=Ranks(4, patterns))
    del patterns["swinViT.layers1.0.blocks.0.mlp.linear1"]
    attach(model, "lora", rank=Ranks(4, patterns), targets=["*"])
    found = {name: method.rank for name, method in attached(model)}
    assert found[NAME.format(4, "attn.qkv")] == 9
    assert found[NAME.format(2, "attn.qkv")] == 5
    assert found[NAME.format(4, "mlp.linear2")] == 3
    assert found[NAME.format(4, "attn.proj")] == found["swinViT.layers1.0.downsample.reduction.weight"] == 4


def test_a_layer_has_at_least_the_methods_least_and_at_most_half():
    weights = {"a.weight": with_spectrum([9.0, 0.1, 0.1])}
    assert layer_ranks(weights, Ranks(8, energy=0.5), least=1) == {"a.weight": 1}
    assert layer_ranks(weights, Ranks(8, energy=0.5), least=2) == {"a.weight": 2}
    with pytest.warns(UserWarning, match=r"rank 20 cut to 15 \(half of the smaller side\) in a.weight"):
        assert layer_ranks(weights, Ranks(8, {"a": 20}), least=2) == {"a.weight": 15}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rank": 0}, "rank: expected at least 1"),
        ({"patterns": {"qkv": 0}}, "rank_pattern: expected at least 1"),
        ({"patterns": {"(": 4}}, "rank_pattern: .* is no regular expression"),
        ({"energy": 0.0}, "rank_energy: expected more than 0"),
        ({"energy": 1.5}, "rank_energy: expected more than 0"),
    ],
)
def test_what_is_no_rank_is_an_error(values, message):
    with pytest.raises(ValueError, match=message):
        Ranks(**values)
