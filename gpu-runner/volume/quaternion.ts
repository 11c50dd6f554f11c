import { at, determinant, linear, multiply, nearestOrthogonal } from './affine.ts';
import type { Affine, Vec3 } from './volume.ts';

const MIRROR_Z = linear((r, c) => (r === c ? (r === 2 ? -1 : 1) : 0));

/**
 * Rotation of a unit quaternion given by its last three numbers, row-major 3x3; the first is `sqrt(1 - b² - c² - d²)`.
 * Formula: nifti1.h, section 5 (method 2).
 *
 * @param tolerance how far `b² + c² + d²` may be from 1 to count as 1, which is a half turn
 * @returns null where the three numbers are no part of a unit quaternion
 */
export function rotationOf(b: number, c: number, d: number, tolerance: number): Float64Array | null {
  const rest = 1 - (b * b + c * c + d * d);
  if (!(rest >= 0 || Math.abs(rest) < tolerance)) return null;
  const a = Math.abs(rest) < tolerance ? 0 : Math.sqrt(rest);
  const s = 2 / (a * a + b * b + c * c + d * d);
  return Float64Array.of(
    1 - s * (c * c + d * d),
    s * (b * c - a * d),
    s * (b * d + a * c),
    s * (b * c + a * d),
    1 - s * (b * b + d * d),
    s * (c * d - a * b),
    s * (b * d - a * c),
    s * (c * d + a * b),
    1 - s * (b * b + c * c),
  );
}

/**
 * Numbers b, c, d of the unit quaternion of an affine's nearest rotation: column lengths, shear and, by its third axis, a reflection
 * are left out, as the qform keeps them elsewhere or not at all.
 */
export function quaternionOf(affine: Affine): Vec3 {
  const r = nearestOrthogonal(determinant(affine) < 0 ? multiply(affine, MIRROR_Z) : affine);
  const trace = at(r, 0, 0) + at(r, 1, 1) + at(r, 2, 2);
  // Each number squared, times 4: the largest is divided by, so that no digits are lost (Shepperd 1978).
  const squares = [1 + trace, 0, 0, 0].map((value, n) => (n === 0 ? value : 1 + 2 * at(r, n - 1, n - 1) - trace));
  const largest = squares.indexOf(Math.max(...squares));
  const twice = Math.sqrt(squares[largest] ?? 0);
  const half = 1 / (2 * twice);
  const skew: Vec3 = [at(r, 2, 1) - at(r, 1, 2), at(r, 0, 2) - at(r, 2, 0), at(r, 1, 0) - at(r, 0, 1)];
  if (largest === 0) return [skew[0] * half, skew[1] * half, skew[2] * half];
  const axis = largest - 1;
  const sign = (skew[axis] ?? 0) < 0 ? -1 : 1;
  const part = (n: number) => sign * (n === axis ? twice / 2 : (at(r, n, axis) + at(r, axis, n)) * half);
  return [part(0), part(1), part(2)];
}
