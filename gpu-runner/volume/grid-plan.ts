import type { Preprocessing } from '../../schemas/manifest.ts';
import { multiply, solve } from './affine.ts';
import { type Oriented, orient } from './orientation.ts';
import { sampleLinear, sampleNearest } from './sample.ts';
import { type Grid, isSameGrid, respace } from './spacing.ts';
import { copyView, type View } from './view.ts';

/** The way from the input's grid to the network's, and back. Views of the input lie along its own axes. */
export interface GridPlan extends Grid {
  /** Trilinear values of a volume on the input's grid. */
  forward(input: View, network: View): void;
  /** The way back, trilinear or by nearest voxel. */
  back(network: View, input: View, mode: 'linear' | 'nearest'): void;
}

/**
 * The grid that MONAI's `Orientation` and then `Spacing` make of the input's. Axes are turned by views, so that no volume is copied
 * for them; where the grid is as wanted, voxels are copied and nothing is interpolated.
 */
export function planGrid(input: Grid, { orientation, spacing }: Preprocessing): GridPlan {
  const oriented: Oriented =
    orientation === null ? { ...input, turn: (view) => view } : orient(input.shape, input.affine, orientation);
  const wanted = spacing === null ? oriented : respace(oriented, spacing);
  if (isSameGrid(oriented, wanted)) {
    return {
      shape: oriented.shape,
      affine: oriented.affine,
      forward: (from, to) => copyView(oriented.turn(from), to),
      back: (from, to) => copyView(from, oriented.turn(to)),
    };
  }
  const toOriented = solve(oriented.affine, wanted.affine);
  const fromOriented = solve(multiply(oriented.affine, toOriented), oriented.affine);
  return {
    shape: wanted.shape,
    affine: wanted.affine,
    forward: (from, to) => sampleLinear(oriented.turn(from), toOriented, to),
    back: (from, to, mode) => (mode === 'linear' ? sampleLinear : sampleNearest)(from, fromOriented, oriented.turn(to)),
  };
}
