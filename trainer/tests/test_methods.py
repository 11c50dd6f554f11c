"""Every method, from its start through training into its file."""

import warnings
from copy import deepcopy
from math import sqrt

import pytest
import torch
import yaml
from conftest import WINDOW, make_task
from safetensors.torch import load_file
from test_config import valid

from pdora import attach, attached, build_network, fuse, load_adapter, load_base, save_adapter
from pdora.attach import replaced
from pdora.cli import main
from pdora.methods.loram import sines
from pdora.network import linear_weights

# A config's `method`, and the keys beside parameter, method and rank that the format asks of its targets.
CONFIGS = {
    "lora": ({"name": "lora", "scale": 2.0}, {"scale": 2.0}),
    "rslora": ({"name": "lora", "alpha": 8, "rslora": True}, {"scale": 4.0}),
    "pissa": ({"name": "pissa", "scale": 0.5}, {"scale": 0.5}),
    "loram": ({"name": "loram"}, {"scale": 1.0}),
    "dora-out": ({"name": "dora"}, {"norm_axis": "out", "scale": 1.0}),
    "dora-in": ({"name": "dora", "norm_axis": "in", "detach_norm": False}, {"norm_axis": "in", "scale": 1.0}),
    "pdora-factor-in": ({}, {"form": "factor", "norm_axis": "in"}),
    "pdora-factor-out": ({"name": "pdora", "norm_axis": "out"}, {"form": "factor", "norm_axis": "out"}),
    "pdora-additive-in": ({"form": "additive", "alpha": 2}, {"form": "additive", "norm_axis": "in", "scale": 0.5}),
    "pdora-additive-out": (
        {"form": "additive", "norm_axis": "out"},
        {"form": "additive", "norm_axis": "out", "scale": 1.0},
    ),
    "bora": ({"name": "bora"}, {"scale": 1.0}),
    "map": ({"name": "map"}, {}),
    "delta": ({"name": "delta"}, {}),
    "full": ({"name": "full"}, None),
    "decoder": ({"name": "decoder"}, None),
    "head": ({"name": "head"}, None),
}
LOW_RANK = [case for case, (method, keys) in CONFIGS.items() if keys is not None and method.get("name") != "delta"]
X = torch.randn(1, 1, *WINDOW, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def stored(base_file):
    return load_base(base_file)


@pytest.fixture(scope="module")
def untouched(stored):
    with torch.no_grad():
        return stored.model(X)


def attach_case(model, case):
    """Attaches as the case's config says, at rank 4."""
    options = {"rank": 4} if case in LOW_RANK else {}
    options |= {"method" if key == "name" else key: value for key, value in CONFIGS[case][0].items()}
    return attach(model, **options)


def attached_network(stored, case):
    torch.manual_seed(1)
    return attach_case(deepcopy(stored.model), case)


@pytest.mark.parametrize("case", CONFIGS)
def test_at_step_0_every_method_is_the_base(stored, untouched, case):
    model = attached_network(stored, case)
    for name, method in attached(model):
        w0 = stored.model.get_parameter(name)
        entry = {"method": method.name, **method.entry()}
        weight = model.get_submodule(name.removesuffix(".weight")).weight
        assert (weight - w0).norm() < 1e-6 * w0.norm(), name
        assert (fuse(entry, w0, method.tensors()) - w0).norm() < 1e-6 * w0.norm(), name
    with torch.no_grad():
        assert (model(X) - untouched).abs().max() < 1e-5 * untouched.abs().max()


@pytest.mark.parametrize("case", CONFIGS)
def test_training_moves_every_trained_parameter_and_nothing_else(stored, case):
    model = attached_network(stored, case)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(trained.values(), lr=1e-2)
    truth = (X > 0).long()[:, 0]
    # The first step moves what the second's gradient of the other factor is made of.
    for _ in range(2):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(X), truth).backward()
        optimiser.step()
    after = model.state_dict()
    same = {name for name, tensor in before.items() if torch.equal(after[name], tensor)}
    assert same == before.keys() - trained.keys()
    linear = [name.removesuffix(".weight") for name in linear_weights(model)]
    targeted = [name for name in linear if any(part in name for part in ("qkv", "linear1", "linear2"))]
    expected = {"delta": linear, "full": [], "decoder": [], "head": []}.get(case, targeted)
    assert [name.removesuffix(".weight") for name, _ in attached(model)] == expected
    whole = {"full": len(list(model.parameters())), "decoder": 2 + 5 * 4}.get(case, 2)
    assert len(replaced(model)) == whole


@pytest.mark.parametrize("case", [case for case in CONFIGS if CONFIGS[case][1] is not None])
def test_the_trained_weight_is_the_formats_definition(stored, case):
    model = attached_network(stored, case)
    for name, method in attached(model):
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.1 + 0.1 * torch.rand_like(parameter))
        w0 = stored.model.get_parameter(name)
        expected = fuse({"method": method.name, **method.entry()}, w0, method.tensors())
        weight = model.get_submodule(name.removesuffix(".weight")).weight
        assert (weight - expected).norm() < 1e-6 * expected.norm(), name
        assert (weight - w0).norm() > 5e-3 * w0.norm(), name


@pytest.mark.parametrize("case", CONFIGS)
def test_one_key_of_a_config_chooses_the_method(tmp_path, cases, base_file, stored, case):
    method, keys = CONFIGS[case]
    values = valid(cases)
    del values["architecture"]
    values |= {"base": str(base_file), "method": method | ({"rank": 4} if case in LOW_RANK else {})}
    values["data"] |= {"train": [1], "test": []}
    values["training"] |= {"steps": 1, "learning_rate": 0.01, "warmup_steps": 0}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    out = tmp_path / "a.safetensors"
    assert main(["adapter", "--config", str(tmp_path / "c.yaml"), "--out", str(out)]) == 0
    manifest = load_adapter(out, stored).manifest
    name = method.get("name", "pdora")
    assert manifest["provenance"]["method"]["name"] == name
    low_rank = {"rank": 4} if case in LOW_RANK else {}
    for target in manifest["targets"]:
        parameter = target.pop("parameter")
        assert target == {"method": name, **low_rank, **keys}, parameter
    assert len(manifest["targets"]) == (0 if keys is None else 36 if case == "delta" else 24)


def test_half_precision_of_the_store_is_for_differences_and_replaced_parameters(tmp_path, stored):
    model = attached_network(stored, "delta")
    with torch.no_grad():
        for _, method in attached(model):
            method.delta.add_(0.01)
    save_adapter(model, tmp_path / "a", base=stored, task=make_task("tissue"), dtype="F16")
    assert {tensor.dtype for tensor in load_file(tmp_path / "a").values()} == {torch.float16}


def test_pissa_starts_at_the_principal_part_whatever_the_scale(stored):
    model = attach(deepcopy(stored.model), "pissa", rank=4, scale=0.25)
    for name, method in attached(model):
        w0 = stored.model.get_parameter(name).double()
        u, s, vh = torch.linalg.svd(w0, full_matrices=False)
        best = (u[:, :4] * s[:4]) @ vh[:4]
        assert (0.25 * method.up0.double() @ method.down0.double() - best).norm() < 1e-6 * w0.norm(), name


def test_lorams_start_has_the_size_of_its_paper(architecture):
    """Of `beta^2 Phi Phi^T`, whose mean square the paper sets to log_n(r) times the weight's, to the half."""
    torch.manual_seed(4)
    model = attach(build_network(architecture), "loram", rank=8, targets=["swinViT.layers4.*.linear1.weight"])
    for name, method in attached(model):
        w0 = model.get_submodule(name.removesuffix(".weight")).parametrizations.weight.original
        out, into = w0.shape
        mean_square = (method.up0 @ method.down0).square().mean().item()
        nu = 8 / (out * into)
        beta4 = torch.log(torch.tensor(8.0)) / torch.log(torch.tensor(float(into))) * w0.square().mean() / nu
        assert mean_square == pytest.approx(float(beta4) * nu, rel=1e-5)
        assert sines(out, 8).T @ sines(out, 8) == pytest.approx(torch.eye(8).numpy(), abs=1e-12)


def test_a_detached_norm_is_a_constant_in_the_backward_pass(stored):
    """DoRA, section 4.3: the gradient of the direction is that of W' scaled by magnitude / norm, and no more."""
    name = "swinViT.layers1.0.blocks.0.attn.qkv.weight"
    gradients = {}
    for detach in (True, False):
        torch.manual_seed(1)
        model = attach(deepcopy(stored.model), "dora", rank=4, targets=[name], detach_norm=detach)
        method = dict(attached(model))[name]
        weight = model.get_submodule(name.removesuffix(".weight")).weight
        upstream = torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))
        (weight * upstream).sum().backward()
        gradients[detach] = method.up.grad
        if detach:
            # At the start magnitude / norm is 1.
            assert torch.allclose(method.up.grad, upstream @ method.down.detach().T, atol=1e-5)
    assert not torch.allclose(gradients[True], gradients[False], rtol=0.01)


def test_rslora_divides_by_the_root_of_each_layers_own_rank(stored):
    options = {"alpha": 6.0, "targets": ["qkv"], "rank": 8}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rslora, scale in ((True, lambda r: 6 / sqrt(r)), (False, lambda r: 6 / r)):
            model = attach(deepcopy(stored.model), "lora", rslora=rslora, **options)
            found = [(method.rank, method.scale) for _, method in attached(model)]
            assert {rank for rank, _ in found} == {6, 8}
            assert all(s == pytest.approx(scale(rank)) for rank, s in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "map", "scale": 2.0}, "scale: method map has no such option"),
        ({"method": "map", "alpha": 2.0}, "alpha: method map has no scale"),
        ({"method": "lora", "alpha": 2.0, "scale": 1.0}, "alpha: the scale is given already"),
        ({"method": "lora", "rslora": True}, "rslora: needs an alpha"),
        ({"method": "lora", "norm_axis": "in"}, "norm_axis: method lora has no such option"),
        ({"method": "delta", "form": "factor"}, "form: method delta has no such option"),
        ({"method": "head", "targets": ["qkv"]}, "targets: method head has none"),
        ({"method": "decoder", "scale": 1.0}, "scale: method decoder has no such option"),
        ({"method": "pissa", "scale": 0.0}, "scale: expected more than 0"),
    ],
)
def test_an_option_that_a_method_has_not_is_an_error(stored, options, message):
    with pytest.raises(ValueError, match=message):
        attach(deepcopy(stored.model), **{"rank": 4, **options} if options["method"] != "head" else options)


def test_a_dead_row_that_would_divide_is_named(stored):
    model = deepcopy(stored.model)
    with torch.no_grad():
        model.swinViT.layers2[0].blocks[1].mlp.linear1.weight[3] = 0
    with pytest.raises(ValueError, match=r"layers2.0.blocks.1.mlp.linear1.weight: a zero norm along out divides"):
        attach(model, "dora", rank=4)
