"""MONAI's window attention through PyTorch's fused kernel, which MONAI itself can use without gradients alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from monai.networks.nets.swin_unetr import WindowAttention
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


@contextmanager
def fused_attention(model: nn.Module) -> Iterator[None]:
    """Within it, the window attention of `model` keeps no scores of every pair of tokens between forward and backward.

    The outputs and gradients are MONAI's up to rounding. The kernel has no gradient for what is added to the scores,
    so where the table of position biases is trained MONAI's own attention is used, and so with dropout.
    """
    changed = [one for one in model.modules() if isinstance(one, WindowAttention) and one.attn_drop.p == 0]
    for one in changed:
        one.forward = MethodType(_forward, one)
    try:
        yield
    finally:
        for one in changed:
            del one.forward


def _forward(self: WindowAttention, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """[windows, tokens, channels] and the shift mask [windows of an image, tokens, tokens] -> as `x`."""
    if torch.is_grad_enabled() and self.relative_position_bias_table.requires_grad:
        return WindowAttention.forward(self, x, mask)
    windows, n, channels = x.shape
    q, k, v = self.qkv(x).reshape(windows, n, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
    bias = self.relative_position_bias_table[self.relative_position_index[:n, :n].reshape(-1)]
    bias = bias.reshape(1, n, n, self.num_heads).permute(0, 3, 1, 2)
    if mask is not None:
        bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
    mixed = scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=self.scale)
    return self.proj_drop(self.proj(mixed.transpose(1, 2).reshape(windows, n, channels)))
