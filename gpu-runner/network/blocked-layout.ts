import type { Vec3 } from '../volume/volume.ts';
import type { Pairs } from './blocked-kernels.ts';
import type { Ref } from './graph.ts';

/** Operators of onnxruntime's own, for the layout that its direct convolutions work in. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/**
 * A volume as a batch of slices `[d, lanes / block, h, columns, block]`, which onnxruntime knows as `[d, lanes, h,
 * columns]`. Where the channels fill blocks, lanes are channels and columns voxels; where only those of two voxels do,
 * lanes are the channels of a pair: voxels 2 n and 2 n + 1 of a row, or, shifted, 2 n - 1 and 2 n, with a voxel of zeros
 * at either end.
 */
export interface Blocked {
  readonly ref: Ref;
  readonly grid: Vec3;
  readonly channels: number;
  readonly pairs: Pairs;
  readonly shifted: boolean;
}

/** How many voxels stand together so that channels fill blocks; null where not even two do. */
export function pairsFor(channels: number, block: number): Pairs | null {
  if (channels % block === 0) return 1;
  return (2 * channels) % block === 0 ? 2 : null;
}

export function lanes({ channels, pairs }: Blocked): number {
  return channels * pairs;
}

export function columns({ grid, pairs, shifted }: Blocked): number {
  return pairs === 1 ? grid[2] : grid[2] / 2 + (shifted ? 1 : 0);
}

export function dims(x: Blocked): readonly [number, number, number, number] {
  return [x.grid[0], lanes(x), x.grid[1], columns(x)];
}
