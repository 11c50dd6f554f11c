import { describe, expect, it } from 'vitest';
import {
  baseParameters,
  checkWindow,
  HEAD_PARAMETERS,
  isDecoderParameter,
  lowRankParameters,
} from '../../schemas/architecture.ts';
import { tinyArchitecture } from '../support/safetensors-file.ts';

const total = (overrides: Parameters<typeof tinyArchitecture>[0]) =>
  [...baseParameters(tinyArchitecture(overrides)).values()].reduce(
    (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );

describe('the parameters of a SwinUNETR', () => {
  // `sum(p.numel() for p in SwinUNETR(...).parameters())` of MONAI.
  it.each([
    [{ feature_size: 12 }, 4_078_064],
    [{ feature_size: 24 }, 15_703_004],
    [{ feature_size: 48 }, 62_186_708],
    [{ feature_size: 48, in_channels: 4, out_channels: 3 }, 62_191_941],
    [{ feature_size: 96 }, 248_089_412],
  ])('with %j count as many weights as in MONAI', (overrides, weights) => {
    expect(total(overrides)).toBe(weights);
  });

  it('have the shapes of MONAI', () => {
    const shapes = baseParameters(tinyArchitecture({ feature_size: 24, in_channels: 3, out_channels: 5 }));
    expect(shapes.size).toBe(151);
    expect(shapes.get('swinViT.patch_embed.proj.weight')).toEqual([24, 3, 2, 2, 2]);
    expect(shapes.get('swinViT.layers3.0.blocks.1.attn.relative_position_bias_table')).toEqual([2197, 12]);
    expect(shapes.get('swinViT.layers4.0.blocks.0.attn.qkv.weight')).toEqual([576, 192]);
    expect(shapes.get('swinViT.layers4.0.downsample.reduction.weight')).toEqual([384, 1536]);
    expect(shapes.get('swinViT.layers4.0.downsample.norm.bias')).toEqual([1536]);
    expect(shapes.get('decoder5.transp_conv.conv.weight')).toEqual([384, 192, 2, 2, 2]);
    expect(shapes.get('decoder1.conv_block.conv3.conv.weight')).toEqual([24, 48, 1, 1, 1]);
    expect(shapes.get('out.conv.conv.weight')).toEqual([5, 24, 1, 1, 1]);
    expect(shapes.has('encoder10.layer.conv3.conv.weight')).toBe(false);
    for (const name of HEAD_PARAMETERS) expect(shapes.has(name)).toBe(true);
    expect([...shapes.keys()].filter(isDecoderParameter)).toHaveLength(20);
  });

  it('follow the depths and heads', () => {
    const shapes = baseParameters(tinyArchitecture({ depths: [1, 2, 3, 1], num_heads: [2, 4, 8, 16] }));
    expect(shapes.has('swinViT.layers1.0.blocks.1.norm1.weight')).toBe(false);
    expect(shapes.get('swinViT.layers3.0.blocks.2.attn.relative_position_bias_table')).toEqual([2197, 8]);
  });

  it('are linear weights of the transformer 36 times', () => {
    const linear = lowRankParameters(tinyArchitecture());
    expect(linear.size).toBe(36);
    expect(linear.has('swinViT.layers2.0.blocks.1.mlp.linear2.weight')).toBe(true);
    expect(linear.has('swinViT.layers2.0.blocks.1.mlp.linear2.bias')).toBe(false);
    expect(linear.has('swinViT.patch_embed.proj.weight')).toBe(false);
  });
});

describe('a window', () => {
  it.each([[[64, 64, 64]], [[32, 32, 64]], [[96, 160, 192]]])('of %j is legal', (roi) => {
    expect(checkWindow(roi)).toBeNull();
  });

  it.each([
    [[32, 32, 32]],
    [[64, 64, 48]],
    [[0, 64, 64]],
    [[64, 64, -64]],
    [[64, 64, 224]],
    [[64, 64]],
    [[64.5, 64, 64]],
    [[Number.NaN, 64, 64]],
  ])('of %j is not', (roi) => {
    expect(checkWindow(roi)).toMatch(/^expected/);
  });
});
