import { expect, test } from 'vitest';
import { buildNetwork } from '../../../gpu-runner/network/build.ts';
import { weightLayout } from '../../../gpu-runner/network/weights.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';
import { type Architecture, baseParameters, lowRankParameters } from '../../../schemas/architecture.ts';

const F48: Architecture = {
  network: 'SwinUNETR',
  feature_size: 48,
  in_channels: 4,
  out_channels: 3,
  depths: [2, 2, 2, 2],
  num_heads: [3, 6, 12, 24],
  window_size: 7,
  patch_merging: 'legacy',
};
const WINDOW: Vec3 = [96, 96, 96];

function inputNames(kind: 'head' | 'decoder' | 'all'): string[] {
  return buildNetwork(F48, WINDOW, kind, 'w').inputs.map(({ name }) => name);
}

const slots = [...lowRankParameters(F48)].flatMap((name) =>
  ['up', 'down', 'c_out', 'c_in'].map((role) => `${name}::${role}`),
);
const always = ['image', ...slots, 'out.conv.conv.weight', 'out.conv.conv.bias'];
const parameters = [...baseParameters(F48).keys()];

test('a session of kind head takes the image, 36 slots of four and the head, and nothing else', () => {
  expect(slots).toHaveLength(4 * 36);
  expect(inputNames('head').toSorted()).toEqual(always.toSorted());
});

test('kind decoder takes the decoder besides, kind all every parameter', () => {
  const decoder = parameters.filter((name) => name.startsWith('decoder'));
  expect(decoder).toHaveLength(20);
  expect(inputNames('decoder').toSorted()).toEqual([...always, ...decoder].toSorted());
  expect(inputNames('all').toSorted()).toEqual(['image', ...slots, ...parameters].toSorted());
});

test('a model of 62 million parameters is a small file: weights stay where they are, masks are never spelled out', () => {
  const { bytes } = buildNetwork(F48, WINDOW, 'head', 'w');
  expect(bytes.length).toBeLessThan(14e6);
  expect(buildNetwork({ ...F48, feature_size: 12 }, WINDOW, 'head', 'w').bytes.length).toBeCloseTo(bytes.length, -5);
});

test.each([
  [[32, 32, 32], 'expected a side of at least 64'],
  [[64, 64, 65], 'expected three multiples of 32'],
  [[64, 64, 256], 'expected sides of at most 192'],
] as const)('a window of %j is refused', (window, problem) => {
  expect(() => buildNetwork(F48, window, 'head', 'w')).toThrow(problem);
});

test('parameters lie in the weights file at pages of their own, linear weights turned to [in, out]', () => {
  const layout = weightLayout(F48);
  expect([...layout.keys()]).toEqual(parameters);
  let end = 0;
  for (const { offset, bytes } of layout.values()) {
    expect(offset % 4096).toBe(0);
    expect(offset).toBeGreaterThanOrEqual(end);
    end = offset + bytes;
  }
  expect(layout.get('swinViT.layers1.0.blocks.0.mlp.linear1.weight')?.dims).toEqual([48, 192]);
  expect(layout.get('encoder1.layer.conv1.conv.weight')?.dims).toEqual([48, 4, 3, 3, 3]);
});
