import { expect, test } from 'vitest';
import {
  forwardMatrices,
  inverseMatrix,
  kernelFactor,
  POINTS,
  TILE,
  tileSlices,
} from '../../../gpu-runner/network/depth-transform.ts';

/** What a convolution with three taps and one slice of padding is by its definition. */
function convolved(slices: readonly number[], taps: readonly number[]): number[] {
  return slices.map((_, at) => taps.reduce((sum, tap, offset) => sum + tap * (slices[at + offset - 1] ?? 0), 0));
}

test.each([4, 8, 12])('six points a tile make the convolution of %d slices, its ends included', (depth) => {
  const slices = Array.from({ length: depth }, (_, at) => Math.sin(3 * at + 1));
  const taps = [0.7, -0.4, 0.9];
  const taken = [...tileSlices(depth)].map((slice) => slices[slice] ?? Number.NaN);
  const forward = forwardMatrices(depth);
  const inverse = inverseMatrix();
  const made: number[] = [];
  for (let tile = 0; tile < depth / TILE; tile++) {
    const products = Array.from({ length: POINTS }, (_, point) => {
      const row = (tile * POINTS + point) * POINTS;
      const value = forward
        .subarray(row, row + POINTS)
        .reduce((sum, factor, at) => sum + factor * (taken[tile * POINTS + at] ?? Number.NaN), 0);
      return value * taps.reduce((sum, tap, at) => sum + tap * kernelFactor(point, at), 0);
    });
    for (let slice = 0; slice < TILE; slice++) {
      made.push(products.reduce((sum, product, point) => sum + product * (inverse[slice * POINTS + point] ?? 0), 0));
    }
  }
  const expected = convolved(slices, taps);
  for (const [at, value] of made.entries()) expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 6);
  expect(made).toHaveLength(depth);
});
