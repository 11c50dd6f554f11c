import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import { squaredDistances } from './distance.ts';

/** A mask cut to the box that it and another lie in, with the spacing of its voxels in mm. */
export interface Box {
  readonly shape: Vec3;
  readonly spacing: Vec3;
}

/**
 * The 95th percentile of the distances between the surfaces of two masks, in mm: of each direction, and the larger of the
 * two (MONAI's `compute_hausdorff_distance(percentile=95)`). Null where a mask is empty.
 *
 * @param a one where the mask is, `[i, j, k]` in C order
 */
export function hausdorff95(a: Uint8Array, b: Uint8Array, { shape, spacing }: Box): number | null {
  const [surfaceA, surfaceB] = [surfaceOf(a, shape), surfaceOf(b, shape)];
  const [there, back] = [distancesTo(surfaceB, surfaceA), distancesTo(surfaceA, surfaceB)];
  if (there.length === 0 || back.length === 0) return null;
  return Math.max(percentile(there, 0.95), percentile(back, 0.95));

  function distancesTo(to: Uint8Array, from: Uint8Array): Float64Array {
    const squared = squaredDistances(to, shape, spacing);
    return squared.filter((_, n) => from[n] === 1).map(Math.sqrt);
  }
}

/** Voxels of a mask with a neighbour across a face that is not in it, as all beyond the edge of the volume is not. */
export function surfaceOf(mask: Uint8Array, [ni, nj, nk]: Vec3): Uint8Array {
  const inside = (i: number, j: number, k: number) =>
    i >= 0 && i < ni && j >= 0 && j < nj && k >= 0 && k < nk && mask[(i * nj + j) * nk + k] === 1;
  return mask.map((one, n) => {
    if (one === 0) return 0;
    const [i, j, k] = [Math.floor(n / (nj * nk)), Math.floor(n / nk) % nj, n % nk];
    const around = inside(i - 1, j, k) && inside(i + 1, j, k) && inside(i, j - 1, k) && inside(i, j + 1, k);
    return around && inside(i, j, k - 1) && inside(i, j, k + 1) ? 0 : 1;
  });
}

/** Between the two nearest values, linearly (numpy's default). */
function percentile(values: Float64Array, share: number): number {
  const sorted = values.toSorted();
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  return below + (place % 1) * ((sorted[Math.ceil(place)] ?? below) - below);
}
