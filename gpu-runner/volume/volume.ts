/** Voxel counts or millimetres along the three axes of a volume. */
export type Vec3 = readonly [number, number, number];

/** 16 numbers, row-major 4x4: voxel index to RAS+ millimetres. */
export type Affine = Float64Array;

/** Intensities of a volume: float32, or a file's own whole numbers where these take less. */
export type Voxels = Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array;

/** A single-channel volume in C order: voxel (i, j, k) lies at `(i * nj + j) * nk + k`. */
export interface Volume {
  readonly shape: Vec3;
  readonly affine: Affine;
  readonly data: Voxels;
}

/** Arrays of label values or intensities that can be filled by index. */
export interface Numbers {
  [index: number]: number;
  readonly length: number;
}

/** Number of voxels of a grid. */
export function voxelCount(shape: Vec3): number {
  return shape[0] * shape[1] * shape[2];
}
