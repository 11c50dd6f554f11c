import warnings

import pytest
import torch
from conftest import WINDOW

from pdora import attach, attached, build_network, fuse, new_head
from pdora.attach import replaced
from pdora.network import linear_weights

VARIANTS = [(form, axis) for form in ("factor", "additive") for axis in ("in", "out")]


@pytest.fixture
def model(architecture):
    torch.manual_seed(1)
    return build_network(architecture).eval()


def quiet_attach(model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attach(model, **options)


@pytest.mark.parametrize(("form", "axis"), VARIANTS)
def test_the_attached_network_equals_the_original_at_step_0(model, form, axis):
    x = torch.randn(1, 1, *WINDOW, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = model(x)
        after = quiet_attach(model, rank=8, form=form, norm_axis=axis)(x)
    assert len(list(attached(model))) == 24
    assert (after - before).abs().max() < 1e-5 * before.abs().max()


def test_exactly_the_expected_parameters_are_trained(model):
    quiet_attach(model, rank=4, targets=["swinViT.layers4.*.qkv.weight"], train=["decoder1", "encoder2.*"])
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    weights = [f"swinViT.layers4.0.blocks.{b}.attn.qkv" for b in (0, 1)]
    roles = ("up", "down", "magnitude")
    assert trained == {
        *(f"{w}.parametrizations.weight.0.{role}" for w in weights for role in roles),
        *(f"decoder1.{part}.conv.weight" for part in ("transp_conv", *(f"conv_block.conv{n}" for n in (1, 2, 3)))),
        *(f"encoder2.layer.conv{n}.conv.weight" for n in (1, 2)),
        "out.conv.conv.weight",
        "out.conv.conv.bias",
    }
    assert set(replaced(model)) == {name for name in trained if ".parametrizations." not in name}


def test_by_default_24_weights_and_the_head_are_trained(model):
    quiet_attach(model)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 24 * 3 + 2
    assert replaced(model) == ["out.conv.conv.bias", "out.conv.conv.weight"]


def test_a_name_that_matches_nothing_is_an_error(model):
    with pytest.raises(ValueError, match="target 'query' matches no parameter"):
        attach(model, targets=["qkv", "query"])
    with pytest.raises(ValueError, match="train name 'decoder9' matches no parameter"):
        attach(model, train=["decoder9"])
    # A convolution is a parameter, but none that a low-rank method can be put on.
    with pytest.raises(ValueError, match="target 'encoder1' matches"):
        attach(model, targets=["encoder1"])


def test_a_weight_cannot_be_both_target_and_trained_as_a_whole(model):
    with pytest.raises(ValueError, match="both a target and trained"):
        attach(model, targets=["qkv"], train=["swinViT.layers1.*.qkv.weight"])


def test_attaching_twice_is_an_error(model):
    quiet_attach(model)
    with pytest.raises(ValueError, match="already"):
        attach(model)


@pytest.mark.parametrize(
    "options",
    [{"form": "product"}, {"norm_axis": "both"}, {"method": "qlora"}, {"rank": 0}, {"form": "factor", "scale": 2.0}],
)
def test_unknown_options_are_errors(model, options):
    with pytest.raises(ValueError, match=str(next(iter(options)))):
        quiet_attach(model, **options)


def test_a_cut_rank_is_said(model):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        attach(model, rank=16, targets=["qkv"])
    said = [str(warning.message) for warning in told]
    assert [message.split(" (")[0] for message in said] == ["rank 16 cut to 6", "rank 16 cut to 12"]
    assert all(f"layers{stage}.0.blocks.1.attn.qkv.weight" in message for stage, message in enumerate(said, 1))
    assert [method.rank for _, method in attached(model)] == [6, 6, 12, 12, 16, 16, 16, 16]


@pytest.mark.parametrize(("form", "axis"), VARIANTS)
def test_gradients_reach_up_down_and_magnitude(model, form, axis):
    quiet_attach(model, rank=4, form=form, norm_axis=axis)
    if form == "additive":
        # Down gets no gradient as long as up is 0, as in LoRA.
        with torch.no_grad():
            for _, method in attached(model):
                method.up.normal_(std=0.01)
    model(torch.randn(1, 1, *WINDOW)).square().mean().backward()
    for name, method in attached(model):
        for role in ("up", "down", "magnitude"):
            gradient = getattr(method, role).grad
            assert gradient is not None, (name, role)
            assert gradient.abs().max() > 0, (name, role)


@pytest.mark.parametrize(("form", "axis"), VARIANTS)
def test_the_trained_weight_is_the_formats_definition(model, form, axis):
    original = {name: model.get_parameter(name).detach().clone() for name in linear_weights(model)}
    quiet_attach(model, rank=4, form=form, norm_axis=axis, **({"scale": 0.5} if form == "additive" else {}))
    for name, method in attached(model):
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        entry = {"method": method.name, **method.entry()}
        expected = fuse(entry, original[name], method.tensors())
        weight = model.get_submodule(name.removesuffix(".weight")).weight
        assert weight.dtype == torch.float32
        assert (weight - expected).norm() < 1e-6 * expected.norm()
        assert (weight - original[name]).norm() > 1e-2 * original[name].norm()


def test_the_residual_is_the_weight_less_the_stored_factors(model):
    original = model.get_parameter("swinViT.layers4.0.blocks.1.mlp.linear2.weight").detach().double()
    quiet_attach(model, rank=16)
    method = dict(attached(model))["swinViT.layers4.0.blocks.1.mlp.linear2.weight"]
    principal = method.up0.double() @ method.down0.double()
    assert method.up0.dtype == method.down0.dtype == torch.float32
    assert torch.equal(method.residual, (original - principal).float())
    # The best of their rank: the principal part is orthogonal to the residual, as the rule `wrong_base` demands.
    residual = original - principal
    for product in (principal.T @ residual, principal @ residual.T):
        assert product.norm() < 1e-6 * original.norm() ** 2


def test_half_precision_leaves_the_weights_in_float32(model):
    quiet_attach(model, rank=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weight = model.swinViT.layers1[0].blocks[0].attn.qkv.weight
    assert torch.equal(weight, model.swinViT.layers1[0].blocks[0].attn.qkv.weight)


def test_a_new_head_has_its_own_classes(model):
    new_head(model, 5)
    with torch.no_grad():
        assert model(torch.zeros(1, 1, *WINDOW)).shape == (1, 5, *WINDOW)
