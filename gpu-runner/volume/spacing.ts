import { affineOf, at, columnLengths, linear, solve, transformPoint } from './affine.ts';
import type { Affine, Vec3 } from './volume.ts';

/** MONAI's `AFFINE_TOL`. */
const AFFINE_TOLERANCE = 1e-3;
/** numpy's `allclose` against 0. */
const CORNER_TOLERANCE = 1e-8;

/** A grid in the world. */
export interface Grid {
  readonly shape: Vec3;
  readonly affine: Affine;
}

/**
 * The grid that MONAI's `Spacing` makes: the same directions without shear, another voxel size, as many voxels as the old corners
 * ask for. A corner that is smallest along all three new axes keeps its place; where there is none (shear), the centres do.
 * A voxel size within 0.001 mm of the wanted one is left as it is.
 *
 * @param spacing voxel size in millimetres
 */
export function respace(grid: Grid, spacing: Vec3): Grid {
  const lengths = columnLengths(grid.affine);
  const size = (axis: 0 | 1 | 2) =>
    Math.abs(lengths[axis] - spacing[axis]) <= AFFINE_TOLERANCE ? lengths[axis] : spacing[axis];
  const sizes: Vec3 = [size(0), size(1), size(2)];
  const rotation = withoutShear(grid.affine);
  const directions = linear((r, c) => at(rotation, r, c) * (sizes[c] ?? 1));

  const corners = cornersOf(grid.shape);
  const mapping = solve(directions, grid.affine);
  const mapped = corners.map((corner) => transformPoint(mapping, corner));
  const least = ([0, 1, 2] as const).map((axis) => Math.min(...mapped.map((point) => point[axis])));
  const most = ([0, 1, 2] as const).map((axis) => Math.max(...mapped.map((point) => point[axis])));
  const sides = least.map((low, axis) => roundHalfEven((most[axis] ?? 0) - low + 1));
  const shape: Vec3 = [sides[0] ?? 0, sides[1] ?? 0, sides[2] ?? 0];

  const kept = mapped.findIndex((point) => point.every((x, axis) => x - (least[axis] ?? 0) <= CORNER_TOLERANCE));
  const corner = corners[kept];
  if (corner !== undefined) return { shape, affine: placed(directions, transformPoint(grid.affine, corner)) };
  const centre = transformPoint(grid.affine, half(grid.shape));
  const offset = transformPoint(directions, half(shape));
  return { shape, affine: placed(directions, [centre[0] - offset[0], centre[1] - offset[1], centre[2] - offset[2]]) };
}

/** Whether MONAI takes two grids for the same, so that nothing is resampled. */
export function isSameGrid(from: Grid, to: Grid): boolean {
  if (from.shape.some((side, axis) => side !== to.shape[axis])) return false;
  const mapping = solve(from.affine, to.affine);
  return (
    from.affine.every((value, n) => near(value, to.affine[n] ?? 0)) ||
    mapping.every((value, n) => near(value, n % 5 === 0 ? 1 : 0))
  );
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= AFFINE_TOLERANCE + 1e-5 * Math.abs(b);
}

/** The eight corner voxels, the last axis fastest. */
export function cornersOf([ni, nj, nk]: Vec3): readonly Vec3[] {
  return [0, ni - 1].flatMap((i) => [0, nj - 1].flatMap((j) => [0, nk - 1].map((k): Vec3 => [i, j, k])));
}

/** To the nearest whole number, halves to the even one: numpy's `round`, C's `nearbyint`. */
export function roundHalfEven(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** `R · inverse(Z)` with `Z` the transposed Cholesky factor of `Rᵀ R`: the columns made orthonormal from the first on. */
function withoutShear(affine: Affine): Affine {
  const gram = (p: number, q: number) =>
    at(affine, 0, p) * at(affine, 0, q) + at(affine, 1, p) * at(affine, 1, q) + at(affine, 2, p) * at(affine, 2, q);
  const z00 = Math.sqrt(gram(0, 0));
  const z01 = gram(0, 1) / z00;
  const z02 = gram(0, 2) / z00;
  const z11 = Math.sqrt(gram(1, 1) - z01 * z01);
  const z12 = (gram(1, 2) - z01 * z02) / z11;
  const z22 = Math.sqrt(gram(2, 2) - z02 * z02 - z12 * z12);
  return affineOf(
    [0, 1, 2].flatMap((r) => {
      const x = at(affine, r, 0) / z00;
      const y = (at(affine, r, 1) - x * z01) / z11;
      return [x, y, (at(affine, r, 2) - x * z02 - y * z12) / z22];
    }),
    [0, 0, 0],
  );
}

function placed(directions: Affine, origin: Vec3): Affine {
  return linear((r, c) => at(directions, r, c), origin);
}

function half([ni, nj, nk]: Vec3): Vec3 {
  return [ni / 2, nj / 2, nk / 2];
}
