import type { Affine, Vec3 } from './volume.ts';

/** Entry of a row-major 4x4 matrix. */
export function at(a: Affine, row: number, column: number): number {
  return a[row * 4 + column] ?? Number.NaN;
}

/** The affine whose 3x3 part `entry` gives, with a translation or none. */
export function linear(
  entry: (row: number, column: number) => number,
  translation: ArrayLike<number> = [0, 0, 0],
): Affine {
  const a = new Float64Array(16);
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) a[r * 4 + c] = entry(r, c);
    a[r * 4 + 3] = translation[r] ?? Number.NaN;
  }
  a[15] = 1;
  return a;
}

/** The affine of a 3x3 part (row-major, 9 numbers) and a translation. */
export function affineOf(part: ArrayLike<number>, translation: ArrayLike<number>): Affine {
  return linear((r, c) => part[r * 3 + c] ?? Number.NaN, translation);
}

export const IDENTITY: Affine = linear((r, c) => (r === c ? 1 : 0));

/** Matrix product `a · b`. */
export function multiply(a: Affine, b: Affine): Affine {
  const out = new Float64Array(16);
  for (let r = 0; r < 4; r++) {
    for (let c = 0; c < 4; c++) {
      out[r * 4 + c] =
        at(a, r, 0) * at(b, 0, c) + at(a, r, 1) * at(b, 1, c) + at(a, r, 2) * at(b, 2, c) + at(a, r, 3) * at(b, 3, c);
    }
  }
  return out;
}

/** World position of a voxel index. */
export function transformPoint(a: Affine, p: Vec3): Vec3 {
  const row = (r: number) => at(a, r, 0) * p[0] + at(a, r, 1) * p[1] + at(a, r, 2) * p[2] + at(a, r, 3);
  return [row(0), row(1), row(2)];
}

/** Determinant of the 3x3 part. */
export function determinant(a: Affine): number {
  return (
    at(a, 0, 0) * (at(a, 1, 1) * at(a, 2, 2) - at(a, 1, 2) * at(a, 2, 1)) -
    at(a, 0, 1) * (at(a, 1, 0) * at(a, 2, 2) - at(a, 1, 2) * at(a, 2, 0)) +
    at(a, 0, 2) * (at(a, 1, 0) * at(a, 2, 1) - at(a, 1, 1) * at(a, 2, 0))
  );
}

/** Lengths of the three columns: the voxel size in millimetres. */
export function columnLengths(a: Affine): Vec3 {
  const length = (c: number) => Math.sqrt(at(a, 0, c) ** 2 + at(a, 1, c) ** 2 + at(a, 2, c) ** 2);
  return [length(0), length(1), length(2)];
}

function swapRows(m: Affine, p: number, q: number): void {
  for (let c = 0; c < 4; c++) [m[p * 4 + c], m[q * 4 + c]] = [at(m, q, c), at(m, p, c)];
}

function subtractRow(m: Affine, target: number, source: number, factor: number): void {
  for (let c = 0; c < 4; c++) m[target * 4 + c] = at(m, target, c) - factor * at(m, source, c);
}

/**
 * Solution X of `a · X = b`, `a` not singular, by Gaussian elimination with partial pivoting. Pivots are multiplied by their inverse,
 * as LAPACK's fast builds do it: at half a voxel the last bit decides.
 */
export function solve(a: Affine, b: Affine): Affine {
  const lhs = Float64Array.from(a);
  const out = Float64Array.from(b);
  for (let p = 0; p < 4; p++) {
    let pivot = p;
    for (let r = p + 1; r < 4; r++) if (Math.abs(at(lhs, r, p)) > Math.abs(at(lhs, pivot, p))) pivot = r;
    swapRows(lhs, p, pivot);
    swapRows(out, p, pivot);
    for (let r = p + 1; r < 4; r++) {
      const factor = at(lhs, r, p) * (1 / at(lhs, p, p));
      subtractRow(lhs, r, p, factor);
      subtractRow(out, r, p, factor);
    }
  }
  for (let p = 3; p >= 0; p--) {
    for (let c = 0; c < 4; c++) out[p * 4 + c] = at(out, p, c) * (1 / at(lhs, p, p));
    for (let r = 0; r < p; r++) subtractRow(out, r, p, at(lhs, r, p));
  }
  return out;
}

/** Whether all numbers are finite and the columns span the space: a voxel has a volume and a place. */
export function isRegular(a: Affine): boolean {
  const [x, y, z] = columnLengths(a);
  // One part in a million of the box that the columns would span at right angles.
  return a.every(Number.isFinite) && Math.abs(determinant(a)) > 1e-6 * x * y * z;
}

/**
 * The orthogonal matrix nearest to the 3x3 part with its columns scaled to length 1, by Newton's iteration (Higham 1986).
 * A left-handed affine gives a left-handed matrix.
 */
export function nearestOrthogonal(a: Affine): Affine {
  const lengths = columnLengths(a);
  let r = linear((row, c) => at(a, row, c) / (lengths[c] ?? 1));
  for (let step = 0; step < 40; step++) {
    const current = r;
    const inverse = solve(r, IDENTITY);
    r = linear((row, c) => (at(current, row, c) + at(inverse, c, row)) / 2);
  }
  return r;
}
