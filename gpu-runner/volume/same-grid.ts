import { ServiceError } from '../../schemas/errors.ts';
import { GRID_CORNER_TOLERANCE_MM } from '../../schemas/limits.ts';
import { transformPoint } from './affine.ts';
import { cornersOf, type Grid } from './spacing.ts';
import type { Vec3 } from './volume.ts';

/**
 * Checks that the channels lie on one grid: same shape, and no corner further than 0.01 mm from the first channel's.
 *
 * @param names the channels' names, in the same order
 * @throws ServiceError `grid_mismatch` with the first channel that lies elsewhere
 */
export function checkSameGrid(grids: readonly Grid[], names: readonly string[]): void {
  const [first, ...others] = grids;
  for (const [n, grid] of others.entries()) {
    if (first === undefined) return;
    const pair = `Channels ${names[0]} and ${names[n + 1]}`;
    if (grid.shape.some((side, axis) => side !== first.shape[axis])) {
      throw new ServiceError(
        'grid_mismatch',
        `${pair} have ${first.shape.join(' x ')} and ${grid.shape.join(' x ')} voxels.`,
      );
    }
    const apart = Math.max(
      ...cornersOf(first.shape).map((corner) =>
        distance(transformPoint(first.affine, corner), transformPoint(grid.affine, corner)),
      ),
    );
    if (!(apart <= GRID_CORNER_TOLERANCE_MM)) {
      throw new ServiceError('grid_mismatch', `${pair} lie up to ${apart.toPrecision(3)} mm apart.`);
    }
  }
}

function distance(p: Vec3, q: Vec3): number {
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}
