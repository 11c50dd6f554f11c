import { columnLengths } from './affine.ts';
import { orient } from './orientation.ts';
import type { Vec3, Volume, Voxels } from './volume.ts';

/** Of one channel before it is normalised: the share of voxels that are not 0, and percentiles of these. */
export interface Intensities {
  readonly nonzero: number;
  readonly p1: number;
  readonly p50: number;
  readonly p99: number;
}

/** What an input is like. Axes are those closest to right, anterior and superior, in this order. */
export interface InputStatistics {
  /** mm */
  readonly spacing: Vec3;
  /** mm from edge to edge. */
  readonly extent: Vec3;
  /** A channel each. */
  readonly intensities: readonly Intensities[];
}

/** Enough for a percentile to within a few thousandths. */
const SAMPLES_MAX = 2 ** 17;

export function measureInput(volumes: readonly Volume[]): InputStatistics {
  const [first] = volumes;
  if (first === undefined) throw new RangeError('no channel to measure');
  const { shape, affine } = orient(first.shape, first.affine, 'RAS');
  const spacing = columnLengths(affine);
  return {
    spacing,
    extent: [shape[0] * spacing[0], shape[1] * spacing[1], shape[2] * spacing[2]],
    intensities: volumes.map(({ data }) => intensitiesOf(data)),
  };
}

function intensitiesOf(data: Voxels): Intensities {
  // Odd, so that it does not run along one plane of a volume whose sides are even.
  const step = Math.ceil(data.length / SAMPLES_MAX) | 1;
  const found: number[] = [];
  let seen = 0;
  for (let n = 0; n < data.length; n += step, seen++) {
    const value = data[n] ?? 0;
    if (value !== 0) found.push(value);
  }
  const sorted = Float64Array.from(found).toSorted();
  const percentile = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return { nonzero: found.length / seen, p1: percentile(0.01), p50: percentile(0.5), p99: percentile(0.99) };
}
