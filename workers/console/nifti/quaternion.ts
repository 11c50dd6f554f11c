import type { Rows } from './header.ts';

/**
 * The affine of a NIfTI header's quaternion (nifti1.h, method 2), null where its numbers are no part of a unit quaternion.
 *
 * @param numbers b, c, d and the three offsets
 * @param sizes of a voxel, in millimetres
 * @param flip of the third axis, `pixdim[0]`: -1 or 1
 */
export function rowsOfQuaternion(numbers: readonly number[], sizes: readonly number[], flip: 1 | -1): Rows | null {
  const [b = 0, c = 0, d = 0, x = 0, y = 0, z = 0] = numbers;
  const rest = 1 - (b * b + c * c + d * d);
  if (!(rest > -1e-6)) return null;
  const a = Math.sqrt(Math.max(0, rest));
  const [i = 1, j = 1, size = 1] = sizes;
  const k = size * flip;
  return [
    [(a * a + b * b - c * c - d * d) * i, 2 * (b * c - a * d) * j, 2 * (b * d + a * c) * k, x],
    [2 * (b * c + a * d) * i, (a * a + c * c - b * b - d * d) * j, 2 * (c * d - a * b) * k, y],
    [2 * (b * d - a * c) * i, 2 * (c * d + a * b) * j, (a * a + d * d - b * b - c * c) * k, z],
  ];
}
