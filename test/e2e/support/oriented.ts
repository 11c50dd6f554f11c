import { newHeader } from '../../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti, gzipNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';

/** A volume in C order `[i, j, k]`; `affine` is 4 x 4, row by row. */
export interface Oriented {
  readonly shape: Vec3;
  readonly affine: Float64Array;
  readonly data: ArrayLike<number>;
}

/** An order of axes, and which of them run backwards. */
export interface Turn {
  readonly axes: Vec3;
  readonly flips: readonly [boolean, boolean, boolean];
}

const ORDERS: readonly Vec3[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];
const BITS = [0, 1, 2, 3, 4, 5, 6, 7];

/** The 48 orders and directions in which the axes of an array can lie. */
export const TURNS: readonly Turn[] = ORDERS.flatMap((axes) =>
  BITS.map((bits): Turn => ({ axes, flips: [(bits & 1) > 0, (bits & 2) > 0, (bits & 4) > 0] })),
);

/** Every `step`th voxel of an odd number along each axis, around the middle. */
export function thinned(volume: Oriented, sides: Vec3, step: number): Oriented {
  const first = sides.map((side, n) => Math.floor(((volume.shape[n] ?? 0) - (side - 1) * step) / 2));
  return taken(volume, sides, ([a = 0, b = 0, c = 0]) => [
    (first[0] ?? 0) + a * step,
    (first[1] ?? 0) + b * step,
    (first[2] ?? 0) + c * step,
  ]);
}

/** The same voxels at the same places in another array. */
export function turned(volume: Oriented, { axes, flips }: Turn): Oriented {
  const shape = axes.map((axis) => volume.shape[axis] ?? 0);
  return taken(volume, [shape[0] ?? 0, shape[1] ?? 0, shape[2] ?? 0], (index) => {
    const from = [0, 0, 0];
    for (const [n, axis] of axes.entries()) {
      const at = index[n] ?? 0;
      from[axis] = flips[n] ? (shape[n] ?? 0) - 1 - at : at;
    }
    return from;
  });
}

/** An array whose voxels are those of another at places that are linear in the index; its affine follows from these. */
function taken(volume: Oriented, shape: Vec3, placeOf: (index: readonly number[]) => readonly number[]): Oriented {
  const data = new Float32Array(shape[0] * shape[1] * shape[2]);
  let n = 0;
  for (let i = 0; i < shape[0]; i++) {
    for (let j = 0; j < shape[1]; j++) {
      for (let k = 0; k < shape[2]; k++, n++) data[n] = volume.data[offsetOf(volume.shape, placeOf([i, j, k]))] ?? 0;
    }
  }
  const origin = worldOf(volume.affine, placeOf([0, 0, 0]));
  const steps = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ].map((unit) => worldOf(volume.affine, placeOf(unit)));
  const rows = [0, 1, 2].flatMap((row) => [
    ...steps.map((step) => (step[row] ?? 0) - (origin[row] ?? 0)),
    origin[row] ?? 0,
  ]);
  return { shape, affine: Float64Array.of(...rows, 0, 0, 0, 1), data };
}

export function offsetOf([, nj, nk]: Vec3, [i = 0, j = 0, k = 0]: readonly number[]): number {
  return (i * nj + j) * nk + k;
}

export function worldOf(affine: Float64Array, index: readonly number[]): number[] {
  return [0, 1, 2].map((row) =>
    [...index, 1].reduce((sum, value, column) => sum + value * (affine[4 * row + column] ?? 0), 0),
  );
}

export async function fileOf({ shape, affine, data }: Oriented, datatype: 'float32' | 'uint8'): Promise<Uint8Array> {
  return await gzipNifti(encodeNifti({ header: newHeader(shape, affine), datatype, data }));
}
