import { IDENTITY, solve, transformPoint } from '../../gpu-runner/volume/affine.ts';
import type { Affine, Vec3, Volume } from '../../gpu-runner/volume/volume.ts';

/** Labels on the grid of a volume. */
export interface LabelGrid {
  readonly shape: Vec3;
  readonly affine: Affine;
  readonly data: ArrayLike<number>;
}

/** A plane of the world that a picture shows: where its upper left corner lies and what a pixel's steps are, in mm. */
export interface Plane {
  readonly name: 'axial' | 'coronal' | 'sagittal';
  readonly corner: Vec3;
  readonly right: Vec3;
  readonly down: Vec3;
  /** What lies at the left and the right border, as radiologists look at it: the patient's right is on the left. */
  readonly left: string;
  readonly rightSide: string;
}

/** The three planes through a point of the world, `side` pixels of `step` mm each way, centred on `middle`. */
export function planesThrough(point: Vec3, middle: Vec3, side: number, step: number): readonly [Plane, Plane, Plane] {
  const half = ((side - 1) / 2) * step;
  const [x, y, z] = middle;
  return [
    {
      name: 'axial',
      corner: [x + half, y + half, point[2]],
      right: [-step, 0, 0],
      down: [0, -step, 0],
      left: 'R',
      rightSide: 'L',
    },
    {
      name: 'coronal',
      corner: [x + half, point[1], z + half],
      right: [-step, 0, 0],
      down: [0, 0, -step],
      left: 'R',
      rightSide: 'L',
    },
    {
      name: 'sagittal',
      corner: [point[0], y + half, z + half],
      right: [0, -step, 0],
      down: [0, 0, -step],
      left: 'A',
      rightSide: 'P',
    },
  ];
}

/** World to voxel index. */
export function worldToVoxel(affine: Affine): Affine {
  return solve(affine, IDENTITY);
}

/** Where a pixel of a plane lies in the world. */
export function worldOf(plane: Plane, u: number, v: number): Vec3 {
  const along = (axis: 0 | 1 | 2): number => plane.corner[axis] + u * plane.right[axis] + v * plane.down[axis];
  return [along(0), along(1), along(2)];
}

/** Label of the voxel nearest to a place of the world, 0 outside the grid. */
export function labelAt({ shape, data }: LabelGrid, toVoxel: Affine, place: Vec3): number {
  const [i, j, k] = transformPoint(toVoxel, place);
  return voxel(data, shape, Math.round(i), Math.round(j), Math.round(k));
}

/** Intensity at a place of the world, trilinear, 0 outside the grid. */
export function intensityAt({ shape, data }: Volume, toVoxel: Affine, place: Vec3): number {
  const [i, j, k] = transformPoint(toVoxel, place);
  const [i0, j0, k0] = [Math.floor(i), Math.floor(j), Math.floor(k)];
  let sum = 0;
  for (const [di, wi] of [
    [0, i0 + 1 - i],
    [1, i - i0],
  ] as const) {
    for (const [dj, wj] of [
      [0, j0 + 1 - j],
      [1, j - j0],
    ] as const) {
      for (const [dk, wk] of [
        [0, k0 + 1 - k],
        [1, k - k0],
      ] as const) {
        sum += wi * wj * wk * voxel(data, shape, i0 + di, j0 + dj, k0 + dk);
      }
    }
  }
  return sum;
}

function voxel(data: ArrayLike<number>, [ni, nj, nk]: Vec3, i: number, j: number, k: number): number {
  if (i < 0 || j < 0 || k < 0 || i >= ni || j >= nj || k >= nk) return 0;
  return data[(i * nj + j) * nk + k] ?? 0;
}
