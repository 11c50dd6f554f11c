import type { Label, Region } from '../../schemas/manifest.ts';
import { type Extent, type Segment, slicerKeys } from '../../schemas/slicer-segments.ts';
import type { Vec3 } from './volume.ts';

/** Turns the hue so that any number of neighbours differ: the golden angle. */
const GOLDEN_ANGLE_DEGREES = 137.507_764;

/** What the values of a label map mean, the background left out: regions where there are some, with their labels' colours. */
export function segmentsOf(labels: readonly Label[], regions: readonly Region[] | undefined): Segment[] {
  const named: readonly Region[] = regions ?? labels;
  return named
    .filter(({ value }) => value !== 0)
    .map(({ value, name }) => {
      const label = labels.find((one) => one.value === value);
      return { value, name, color: label?.color ?? colorOf(value), code: label?.code };
    });
}

/** A colour of its own for each value, where the manifest says none: full, light, by the golden angle. */
function colorOf(value: number): [number, number, number] {
  const hue = (value * GOLDEN_ANGLE_DEGREES) % 360;
  const channel = (n: number) => {
    const k = (n + hue / 60) % 6;
    return Math.round(255 * (0.95 - 0.6 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/**
 * The keys by which 3D Slicer reads a label map as a segmentation.
 *
 * @param labels C order `[i, j, k]`
 */
export function segmentKeys(
  segments: readonly Segment[],
  labels: ArrayLike<number>,
  shape: Vec3,
): (readonly [string, string])[] {
  return slicerKeys(segments, extentsOf(labels, shape));
}

function extentsOf(labels: ArrayLike<number>, [ni, nj, nk]: Vec3): Map<number, Extent> {
  const extents = new Map<number, [number, number, number, number, number, number]>();
  let n = 0;
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      for (let k = 0; k < nk; k++, n++) {
        const value = labels[n] ?? 0;
        if (value === 0) continue;
        const extent = extents.get(value);
        if (extent === undefined) {
          extents.set(value, [i, i, j, j, k, k]);
          continue;
        }
        // Its first i came first, and this is the last so far.
        extent[1] = i;
        if (j < extent[2]) extent[2] = j;
        if (j > extent[3]) extent[3] = j;
        if (k < extent[4]) extent[4] = k;
        if (k > extent[5]) extent[5] = k;
      }
    }
  }
  return extents;
}
