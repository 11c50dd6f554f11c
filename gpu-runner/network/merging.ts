import type { Architecture } from '../../schemas/architecture.ts';
import type { Vec3 } from '../volume/volume.ts';
import { eachCell, volumeOf } from './attention-windows.ts';

type Octant = readonly [0 | 1, 0 | 1, 0 | 1];

/**
 * The order in which a merge joins the eight octants of every 2^3 cell. `legacy` is `merging` of MONAI 0.9.0 to 1.4
 * (two octants twice, two never), `fixed` that of 1.5 on, `v2` is `mergingv2`.
 */
const OCTANTS: Readonly<Record<Architecture['patch_merging'], readonly Octant[]>> = {
  legacy: [
    [0, 0, 0],
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [1, 0, 1],
    [0, 1, 0],
    [0, 0, 1],
    [1, 1, 1],
  ],
  fixed: [
    [0, 0, 0],
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [1, 1, 0],
    [1, 0, 1],
    [0, 1, 1],
    [1, 1, 1],
  ],
  v2: [
    [0, 0, 0],
    [0, 0, 1],
    [0, 1, 0],
    [0, 1, 1],
    [1, 0, 0],
    [1, 0, 1],
    [1, 1, 0],
    [1, 1, 1],
  ],
};

/** For every merged cell in C order the rows of its eight parts; all sides of the grid are even. */
export function mergingIndex(grid: Vec3, merging: Architecture['patch_merging']): Int32Array {
  const [, gj, gk] = grid;
  const index = new Int32Array(volumeOf(grid));
  let at = 0;
  eachCell([grid[0] / 2, gj / 2, gk / 2], (i, j, k) => {
    for (const [a, b, c] of OCTANTS[merging]) index[at++] = ((2 * i + a) * gj + 2 * j + b) * gk + 2 * k + c;
  });
  return index;
}
