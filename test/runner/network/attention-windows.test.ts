import { expect, test } from 'vitest';
import {
  attentionWindows,
  MASK_REGIONS,
  maskFeatures,
  mergeIndex,
  partitionIndex,
  positionIndex,
} from '../../../gpu-runner/network/attention-windows.ts';
import { mergingIndex } from '../../../gpu-runner/network/merging.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/** `monai.networks.nets.swin_unetr.get_window_size` and the padding, from the table for patches of 64, 96 and 128. */
test.each([
  [32, 7, 3, 35, 125],
  [16, 7, 3, 21, 27],
  [8, 7, 3, 14, 8],
  [4, 4, 0, 4, 1],
  [48, 7, 3, 49, 343],
  [6, 6, 0, 6, 1],
  [64, 7, 3, 70, 1000],
])('a grid of %d^3 has windows of %d, shift %d, padding to %d, %d windows', (side, size, shift, padded, windows) => {
  const w = attentionWindows([side, side, side], true);
  expect([w.size[0], w.shift[0], w.padded[0], w.count[0] ** 3]).toEqual([size, shift, padded, windows]);
});

test('partitioning and merging are each other’s inverse, shifted or not, clipped in one axis or not', () => {
  for (const grid of [
    [8, 16, 4],
    [32, 8, 8],
    [4, 4, 8],
  ] satisfies Vec3[]) {
    for (const shifted of [false, true]) {
      const w = attentionWindows(grid, shifted);
      const partition = partitionIndex(w);
      const there = mergeIndex(w);
      expect([...there].map((row) => partition[row])).toEqual([...there.keys()]);
      expect(partition.filter((row) => row === there.length)).toHaveLength(partition.length - there.length);
    }
  }
});

/** `compute_mask`: regions by the slices [:-w], [-w:-s], [-s:] of each axis of the padded grid, -100 between regions. */
test('queries and keys carry exactly MONAI’s shift mask', () => {
  const w = attentionWindows([8, 4, 16], true);
  const { query, key } = maskFeatures(w);
  const region = (position: number, axis: 0 | 1 | 2) => {
    if (w.shift[axis] === 0 || position < w.padded[axis] - w.size[axis]) return 0;
    return position < w.padded[axis] - w.shift[axis] ? 1 : 2;
  };
  const regions: string[] = [];
  for (const a of range(w.count[0]))
    for (const b of range(w.count[1]))
      for (const c of range(w.count[2]))
        for (const i of range(w.size[0]))
          for (const j of range(w.size[1]))
            for (const k of range(w.size[2]))
              regions.push(
                [region(a * w.size[0] + i, 0), region(b * w.size[1] + j, 1), region(c * w.size[2] + k, 2)].join(''),
              );
  const n = w.size[0] * w.size[1] * w.size[2];
  let wrong = 0;
  for (const window of range(regions.length / n)) {
    for (const q of range(n)) {
      for (const k of range(n)) {
        let product = 0;
        for (const r of range(MASK_REGIONS)) {
          product +=
            (query[(window * n + q) * MASK_REGIONS + r] ?? 0) * (key[(window * MASK_REGIONS + r) * n + k] ?? 0);
        }
        if (product !== (regions[window * n + q] === regions[window * n + k] ? 0 : -100)) wrong++;
      }
    }
  }
  expect(wrong).toBe(0);
});

test('a clipped window takes the corner of the full position index, as MONAI does', () => {
  const full = positionIndex(343);
  const corner = positionIndex(64);
  for (let i = 0; i < 64; i++) {
    expect(corner.slice(i * 64, i * 64 + 64)).toEqual(full.slice(i * 343, i * 343 + 64));
  }
  expect(full[0]).toBe(6 * 169 + 6 * 13 + 6);
  expect(full[1 * 343 + 0]).toBe(6 * 169 + 6 * 13 + 7);
  expect(full[49 * 343 + 0]).toBe(7 * 169 + 6 * 13 + 6);
});

test('merging reads the octants in the order of its variant', () => {
  const eight: Vec3 = [2, 2, 2];
  // Rows of a 2^3 grid: 4 i + 2 j + k.
  expect([...mergingIndex(eight, 'legacy')]).toEqual([0, 4, 2, 1, 5, 2, 1, 7]);
  expect([...mergingIndex(eight, 'fixed')]).toEqual([0, 4, 2, 1, 6, 5, 3, 7]);
  expect([...mergingIndex(eight, 'v2')]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
