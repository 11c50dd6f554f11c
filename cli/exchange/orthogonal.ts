import type { Matrix } from '../../gpu-runner/adapter/matrix.ts';

const SWEEPS_MAX = 60;
/** Two rows whose cosine is below this are orthogonal in float64. */
const COSINE_MAX = 1e-15;
/** What is left of a row after projection, as a share of it, below which it lies in the others' span. */
const DEPENDENT = 1e-10;

/**
 * One-sided Jacobi (Hestenes): rotates the rows of `a` in place until they are orthogonal, so that their lengths are
 * its singular values and their directions the right singular vectors. `carried` gets the same rotations: with the
 * identity's rows it becomes the transposed left singular vectors.
 */
export function orthogonaliseRows(a: Matrix, carried: Matrix): void {
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let rotated = false;
    for (let p = 0; p < a.rows; p++) {
      for (let q = p + 1; q < a.rows; q++) {
        const [x, y] = [row(a, p), row(a, q)];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= COSINE_MAX * Math.sqrt(xx * yy)) continue;
        rotated = true;
        const zeta = (yy - xx) / (2 * xy);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        rotate(x, y, tangent);
        rotate(row(carried, p), row(carried, q), tangent);
      }
    }
    if (!rotated) return;
  }
}

/**
 * An orthonormal basis of what the rows of `a` span beside the span of `known`, whose rows are orthonormal: fewer rows
 * where some depend on the others. Gram-Schmidt, twice, which is enough in float64.
 */
export function orthonormalRows(a: Matrix, known: Matrix | null): Matrix {
  const before = known === null ? [] : Array.from({ length: known.rows }, (_, i) => row(known, i));
  const found: Float64Array[] = [];
  for (let i = 0; i < a.rows; i++) {
    const vector = row(a, i).slice();
    const length = Math.sqrt(dot(vector, vector));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of [...before, ...found]) {
        const along = dot(other, vector);
        for (let at = 0; at < vector.length; at++) vector[at] = (vector[at] ?? 0) - along * (other[at] ?? 0);
      }
    }
    const left = Math.sqrt(dot(vector, vector));
    if (left > DEPENDENT * length) found.push(vector.map((value) => value / left));
  }
  const data = new Float64Array(found.length * a.cols);
  for (const [i, vector] of found.entries()) data.set(vector, i * a.cols);
  return { rows: found.length, cols: a.cols, data };
}

/** `x' = c x - s y`, `y' = s x + c y`. */
function rotate(x: Float64Array, y: Float64Array, tangent: number): void {
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  for (let i = 0; i < x.length; i++) {
    const [u, v] = [x[i] ?? 0, y[i] ?? 0];
    x[i] = cosine * u - sine * v;
    y[i] = sine * u + cosine * v;
  }
}

function row(a: Matrix, i: number): Float64Array {
  return a.data.subarray(i * a.cols, (i + 1) * a.cols);
}

function dot(x: Float64Array, y: Float64Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += (x[i] ?? 0) * (y[i] ?? 0);
  return total;
}
