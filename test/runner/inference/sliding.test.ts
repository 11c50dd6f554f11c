import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { importanceMap } from '../../../gpu-runner/inference/blend.ts';
import { extractWindow, windowCount, windowPlan } from '../../../gpu-runner/inference/windows.ts';
import { blendedLogits } from '../../support/decided.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

type Triple = readonly [number, number, number];
const triple = z.tuple([z.number(), z.number(), z.number()]).readonly();
const goldenSchema = z.object({
  kernel: z.object({ values: z.array(z.number()) }),
  bias: z.array(z.number()),
  cases: z.array(
    z.object({
      image: triple,
      roi_size: triple,
      overlap: z.number(),
      blend: z.enum(['constant', 'gaussian']),
      pad_before: triple,
      padded: triple,
      stride: triple,
      starts: z.array(triple),
      weights: z.object({ offset: z.number() }),
      result: z.object({ offset: z.number() }),
    }),
  ),
  starts_by_size: z.array(
    z.object({
      size: z.number(),
      roi: z.number(),
      overlap: z.number(),
      stride: z.number(),
      starts: z.array(z.number()),
    }),
  ),
  gaussian: z.array(z.object({ roi: triple, centre_line: z.array(z.number()), corner: z.number(), sum: z.number() })),
});

function volumeOf([i, j, k]: Triple): number {
  return i * j * k;
}

/** The fixture's input: the self-test's formula over the flat index. */
function goldenInput(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 31 - 1);
}

/** The fixture's predictor: tanh of a 3x3x3 cross-correlation, zero padded at the window's own faces, 1 channel to 3. */
function predict(window: Float32Array, [ri, rj, rk]: Triple, kernel: readonly number[], bias: readonly number[]) {
  const out = new Float32Array(bias.length * ri * rj * rk);
  let at = 0;
  for (const [channel, offset] of bias.entries()) {
    for (let i = 0; i < ri; i++) {
      for (let j = 0; j < rj; j++) {
        for (let k = 0; k < rk; k++) {
          let sum = offset;
          for (let tap = 0; tap < 27; tap++) {
            const [a, b, c] = [i + Math.floor(tap / 9) - 1, j + (Math.floor(tap / 3) % 3) - 1, k + (tap % 3) - 1];
            if (a < 0 || b < 0 || c < 0 || a >= ri || b >= rj || c >= rk) continue;
            sum += (kernel[channel * 27 + tap] ?? 0) * (window[(a * rj + b) * rk + c] ?? 0);
          }
          out[at++] = Math.tanh(sum);
        }
      }
    }
  }
  return out;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

/** The golden results; none where the shared folder is absent and their tests are skipped. */
function readGolden(): z.infer<typeof goldenSchema> {
  const path = sharedPath('fixtures/parity/sliding.json');
  if (!existsSync(path)) return { kernel: { values: [] }, bias: [], cases: [], starts_by_size: [], gaussian: [] };
  return goldenSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
}

function floats(offset: number, length: number): Float32Array {
  const bytes = readFileSync(sharedPath('fixtures/parity/sliding.bin')).subarray(offset, offset + 4 * length);
  return new Float32Array(new Uint8Array(bytes).buffer);
}

describeShared('sliding windows against MONAI', () => {
  const golden = readGolden();

  it.each(golden.cases)('$image in windows of $roi_size, overlap $overlap, $blend', async (expected_) => {
    const { image, roi_size: roi, overlap, blend } = expected_;
    const plan = windowPlan(image, roi, overlap);
    expect(plan).toEqual({
      padBefore: expected_.pad_before,
      padded: expected_.padded,
      stride: expected_.stride,
      starts: expected_.starts,
    });
    expect(windowCount(image, roi, overlap)).toBe(expected_.starts.length);
    expect(
      largestDifference(importanceMap(roi, blend), floats(expected_.weights.offset, volumeOf(roi))),
    ).toBeLessThanOrEqual(1e-5);

    const input = goldenInput(volumeOf(image));
    const window = new Float32Array(volumeOf(roi));
    const options = { classes: golden.bias.length, shape: image, plan, roi, blend };
    const blended = await blendedLogits(options, (start) => {
      extractWindow(input, 1, image, plan, roi, start, window);
      return predict(window, roi, golden.kernel.values, golden.bias);
    });
    const expected = floats(expected_.result.offset, golden.bias.length * volumeOf(image));
    expect(largestDifference(blended, expected)).toBeLessThanOrEqual(1e-5);
  });

  it('places starts on an axis of any size as MONAI does', () => {
    for (const { size, roi, overlap, stride, starts } of golden.starts_by_size) {
      const plan = windowPlan([size, roi, roi], [roi, roi, roi], overlap);
      expect(plan.stride[0], `${size} ${roi} ${overlap}`).toBe(stride);
      expect(plan.starts.map(([start]) => start)).toEqual(starts);
      expect(windowCount([size, roi, roi], [roi, roi, roi], overlap)).toBe(starts.length);
    }
    expect(golden.starts_by_size.length).toBe(216);
  });

  it.each(golden.gaussian)('weighs a window of $roi as MONAI does', ({ roi, centre_line, corner, sum }) => {
    const weights = importanceMap(roi, 'gaussian');
    const [ri, rj, rk] = roi;
    const line = centre_line.map((_, i) => weights[(i * rj + Math.floor(rj / 2)) * rk + Math.floor(rk / 2)] ?? 0);
    expect(ri).toBe(centre_line.length);
    for (const [i, weight] of centre_line.entries()) expect(line[i]).toBeCloseTo(weight, 5);
    expect(weights[0]).toBeCloseTo(corner, 5);
    expect(Math.abs(weights.reduce((total, weight) => total + weight, 0) / sum - 1)).toBeLessThan(1e-5);
  });
});

describe('extractWindow', () => {
  it('keeps channels apart and pads each side with zeros, the odd voxel after the volume', () => {
    const shape: Triple = [1, 2, 1];
    const roi: Triple = [2, 2, 4];
    const plan = windowPlan(shape, roi, 0.5);
    const window = new Float32Array(2 * 16).fill(9);
    extractWindow(Float32Array.of(1, 2, 3, 4), 2, shape, plan, roi, [0, 0, 0], window);
    expect(plan.padBefore).toEqual([0, 0, 1]);
    const first = [0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect([...window]).toEqual([...first, ...first.map((value) => (value === 0 ? 0 : value + 2))]);
  });
});
