import { GRID_MAX_VOXELS } from '../../schemas/limits.ts';
import type { Preprocessing } from '../../schemas/manifest.ts';
import { type GridPlan, planGrid } from './grid-plan.ts';
import { normalise } from './intensity.ts';
import { invalidVolume } from './invalid.ts';
import { checkSameGrid } from './same-grid.ts';
import { viewOf } from './view.ts';
import { type Affine, type Vec3, type Volume, voxelCount } from './volume.ts';

/** A volume on the network's grid, and the way back to the grid it came from. */
export interface Prepared {
  /** `[channel, i, j, k]` in C order. */
  readonly data: Float32Array;
  readonly channels: number;
  readonly shape: Vec3;
  readonly affine: Affine;
  /** Labels `[i, j, k]` of the network's grid on the input's grid, by nearest voxel. */
  labelsBack(labels: Uint8Array): Uint8Array;
  labelsBack(labels: Uint16Array): Uint16Array;
  labelsBack(labels: Uint8Array | Uint16Array): Uint8Array | Uint16Array;
  /** Probabilities `[class, i, j, k]` of the network's grid as `[i, j, k, class]` on the input's grid, trilinearly. */
  probabilitiesBack(probabilities: Float32Array, classes: number): Float32Array;
}

/**
 * Orientation, spacing and intensity, in this order, as MONAI's `Orientation`, `Spacing` (trilinear, border) and
 * `NormalizeIntensity` or `ScaleIntensityRange` do them. All channels lie on the first one's grid.
 *
 * @throws ServiceError `invalid_volume` where the new grid has more than `maxVoxels`, before it is allocated;
 *   `grid_mismatch` where the channels differ in their grids
 */
export function prepare(
  volumes: readonly Volume[],
  preprocessing: Preprocessing,
  limits: { readonly maxVoxels?: number } = {},
): Prepared {
  const [input] = volumes;
  if (input === undefined) throw new RangeError('no channel to prepare');
  checkSameGrid(
    volumes,
    volumes.map((_, n) => `channel ${n + 1}`),
  );
  // The way back lives longer than the input: it may hold nothing but the input's grid.
  const inputGrid = { shape: input.shape, affine: input.affine };
  const plan = planGrid(inputGrid, preprocessing);
  const voxels = voxelCount(plan.shape);
  const maxVoxels = limits.maxVoxels ?? GRID_MAX_VOXELS;
  if (!(voxels <= maxVoxels)) {
    throw invalidVolume(
      `At the adapter's spacing the volume has ${plan.shape.join(' x ')} voxels; at most ${maxVoxels} are processed.`,
    );
  }

  const data = new Float32Array(volumes.length * voxels);
  for (const [n, volume] of volumes.entries()) {
    const channel = data.subarray(n * voxels, (n + 1) * voxels);
    plan.forward(viewOf(volume.data, volume.shape), viewOf(channel, plan.shape));
    normalise(channel, preprocessing.intensity);
  }
  return {
    data,
    channels: volumes.length,
    shape: plan.shape,
    affine: plan.affine,
    labelsBack: labelsBackBy(plan, inputGrid.shape),
    probabilitiesBack: (probabilities, classes) => {
      const back = new Float32Array(voxelCount(inputGrid.shape) * classes);
      for (let c = 0; c < classes; c++) {
        const source = probabilities.subarray(c * voxels, (c + 1) * voxels);
        plan.back(viewOf(source, plan.shape), viewOf(back, inputGrid.shape, classes, c), 'linear');
      }
      return back;
    },
  };
}

function labelsBackBy(plan: GridPlan, shape: Vec3): Prepared['labelsBack'] {
  function back(labels: Uint8Array): Uint8Array;
  function back(labels: Uint16Array): Uint16Array;
  function back(labels: Uint8Array | Uint16Array): Uint8Array | Uint16Array;
  function back(labels: Uint8Array | Uint16Array): Uint8Array | Uint16Array {
    const count = voxelCount(shape);
    const data = labels instanceof Uint8Array ? new Uint8Array(count) : new Uint16Array(count);
    plan.back(viewOf(labels, plan.shape), viewOf(data, shape), 'nearest');
    return data;
  }
  return back;
}

export { checkSameGrid } from './same-grid.ts';
