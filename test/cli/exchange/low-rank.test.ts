import { describe, expect, it } from 'vitest';
import { lowRankFactors } from '../../../cli/exchange/low-rank.ts';
import { orthogonaliseRows } from '../../../cli/exchange/orthogonal.ts';
import { frobenius, type Matrix, matrix, product, rowNorms, sum } from '../../../gpu-runner/adapter/matrix.ts';
import { randomNumbers } from '../../support/safetensors-file.ts';

/** `(H u)(…)`: a Householder reflection of a random vector, orthogonal by construction. */
function reflection(side: number, seed: number): Matrix {
  const v = Float64Array.from(randomNumbers(seed, side));
  const square = v.reduce((total, value) => total + value ** 2, 0);
  const entry = (i: number, j: number) => (i === j ? 1 : 0) - (2 * (v[i] ?? 0) * (v[j] ?? 0)) / square;
  return matrix(
    side,
    side,
    Array.from({ length: side * side }, (_, at) => entry(Math.floor(at / side), at % side)),
  );
}

/** A matrix with these singular values. */
function withSpectrum(rows: number, cols: number, values: readonly number[]): Matrix {
  const diagonal = matrix(
    rows,
    cols,
    Array.from({ length: rows * cols }, (_, at) => (at % (cols + 1) === 0 ? (values[at / (cols + 1)] ?? 0) : 0)),
  );
  return product(product(reflection(rows, 1), diagonal), reflection(cols, 2));
}

function noise(rows: number, cols: number, size: number): Matrix {
  return matrix(
    rows,
    cols,
    Float64Array.from(randomNumbers(9, rows * cols), (value) => size * value),
  );
}

describe('one-sided Jacobi', () => {
  it('finds singular values from 1 to 1e-10, each to float64', () => {
    const values = [1, 0.5, 0.5, 1e-3, 1e-6, 1e-10];
    const a = withSpectrum(6, 40, values);
    const identity = matrix(
      6,
      6,
      Array.from({ length: 36 }, (_, at) => (at % 7 === 0 ? 1 : 0)),
    );
    const before = { ...a, data: a.data.slice() };
    orthogonaliseRows(a, identity);
    const found = [...rowNorms(a)].toSorted((x, y) => y - x);
    for (const [at, value] of values.entries()) expect(Math.abs((found[at] ?? 0) - value)).toBeLessThan(1e-15);
    // The rotations are told: `carried` times the matrix before is the matrix after.
    expect(frobenius(sum(product(identity, before), a, -1).data)).toBeLessThan(1e-14);
  });
});

describe('low-rank factors', () => {
  it.each([
    [60, 24],
    [24, 60],
  ])('find the rank of a %i x %i product under noise, and the matrix again', (rows, cols) => {
    const exact = withSpectrum(rows, cols, [3, 2, 2, 0.1, 0.01]);
    const seen = sum(exact, noise(rows, cols, 1e-7));
    const floor = 1e-5 * frobenius(seen.data);
    const factors = lowRankFactors(seen, floor, 12);
    expect(factors?.up.cols).toBe(5);
    if (factors === null) return;
    expect(frobenius(sum(product(factors.up, factors.down), seen, -1).data)).toBeLessThanOrEqual(floor);
  });

  it('take no more ranks than the floor asks for', () => {
    const a = withSpectrum(40, 30, [1, 0.1, 0.01, 0.001]);
    expect(lowRankFactors(a, 0.02, 10)?.up.cols).toBe(2);
    expect(lowRankFactors(a, 0.005, 10)?.up.cols).toBe(3);
    expect(lowRankFactors(a, 2, 10)?.up.cols).toBe(0);
  });

  it('are refused where it takes more than the most', () => {
    const values = Array.from({ length: 30 }, (_, i) => 1 / (i + 1));
    const a = withSpectrum(40, 30, values);
    expect(lowRankFactors(a, 1e-6, 12)).toBeNull();
    expect(lowRankFactors(a, 1e-6, 30)?.up.cols).toBe(30);
  });

  it('share the singular values out evenly', () => {
    const factors = lowRankFactors(withSpectrum(20, 30, [4, 9]), 1e-9, 5);
    const [first = 0, second = 0] = factors === null ? [] : rowNorms(factors.down);
    expect(first).toBeCloseTo(3, 12);
    expect(second).toBeCloseTo(2, 12);
  });
});
