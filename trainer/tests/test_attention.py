"""The fused attention of training against MONAI's own."""

import torch
from conftest import WINDOW

from pdora import attach, build_network
from pdora.attention import fused_attention


def outcome(model, x):
    """Logits, and the gradient of every trained parameter."""
    model.zero_grad()
    logits = model(x)
    logits.square().mean().backward()
    return logits.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_logits_and_gradients_are_monais(architecture):
    torch.manual_seed(2)
    model = attach(build_network(architecture), rank=4)
    # A side of 64 has shifted windows at the first level, two images their masks twice.
    x = torch.randn(2, 1, *WINDOW)
    logits, gradients = outcome(model, x)
    with fused_attention(model):
        assert any("forward" in vars(module) for module in model.modules())
        found, moved = outcome(model, x)
    assert not any("forward" in vars(module) for module in model.modules())
    assert torch.allclose(found, logits, atol=1e-4 * logits.abs().max())
    assert moved.keys() == gradients.keys()
    largest = max(float(one.abs().max()) for one in gradients.values())
    assert largest > 0
    assert max(float((moved[name] - one).abs().max()) for name, one in gradients.items()) < 1e-3 * largest


def test_a_trained_table_of_biases_still_learns(architecture):
    torch.manual_seed(2)
    model = attach(build_network(architecture), "full")
    with fused_attention(model):
        _, gradients = outcome(model, torch.randn(1, 1, *WINDOW))
    tables = [one for name, one in gradients.items() if name.endswith("relative_position_bias_table")]
    assert len(tables) == 8
    assert any(one.abs().max() > 0 for one in tables)
