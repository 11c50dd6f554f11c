import type { LabelMap } from './label-map.ts';
import { SegmentationError } from './segmentation-error.ts';
import { groupsOf, type Point, type Slice } from './source-series.ts';

/** A slice with the labels of its pixels, row by row. */
export interface Plane {
  readonly slice: Slice;
  readonly labels: Uint16Array;
}

/** What rounding in headers may make: of a voxel. More is another grid. */
const TOLERANCE_VOXELS = 0.1;

/**
 * The labels of each slice's own pixels, found by where they lie and not by the order of files, from below along the
 * slices' normal. Throws `SegmentationError` where a slice does not lie on the label map's voxels, as in a series with
 * gaps or a tilted gantry that was resampled, and where a label lies on no slice: nothing is moved or dropped silently.
 * Of a series that was converted to several volumes, by the turns of its images, the one counts that the label map is of.
 */
export function planesOf(slices: readonly Slice[], map: LabelMap): Plane[] {
  const [group = [], ...others] = groupsOf(slices);
  if (others.length === 0) return planesOfGroup(group, map);
  const fitting = [group, ...others].flatMap((one) => {
    try {
      return [planesOfGroup(one, map)];
    } catch (error) {
      if (error instanceof SegmentationError) return [];
      throw error;
    }
  });
  const [planes, ambiguous] = fitting;
  if (planes !== undefined && ambiguous === undefined) return planes;
  throw new SegmentationError('The series has images of several sizes or orientations, and none of these fits.');
}

function planesOfGroup(slices: readonly Slice[], map: LabelMap): Plane[] {
  const planes = slices
    .toSorted((a, b) => along(a) - along(b))
    .map((slice) => ({ slice, labels: labelsOf(slice, map) }));
  for (const [n, { slice }] of planes.entries()) {
    const next = planes[n + 1];
    if (next !== undefined && along(next.slice) - along(slice) < 1e-3) {
      throw new SegmentationError('Expected one image at each place; the series has several.');
    }
  }
  const found = planes.reduce((sum, { labels }) => sum + labelled(labels), 0);
  if (found !== labelled(map.labels)) {
    throw new SegmentationError('Some labels lie where the series has no image: it has gaps, or images are missing.');
  }
  return planes;
}

function labelsOf({ origin, right, down, rows, columns }: Slice, map: LabelMap): Uint16Array {
  const place = (column: number, row: number): number[] => {
    const [x, y, z] = [0, 1, 2].map((n) => at(origin, n) + column * at(right, n) + row * at(down, n));
    return map.indexAt([x ?? Number.NaN, y ?? Number.NaN, z ?? Number.NaN]).map(voxel);
  };
  const voxel = (index: number, axis: number): number => {
    const nearest = Math.round(index);
    const inside = Math.abs(index - nearest) <= TOLERANCE_VOXELS && nearest >= 0 && nearest < at(map.shape, axis);
    if (!inside) throw new SegmentationError("An image of the series does not lie on the label map's voxels.");
    return nearest;
  };
  const first = place(0, 0);
  const [beside, under] = [
    step(first, place(columns - 1, 0), columns, map),
    step(first, place(0, rows - 1), rows, map),
  ];
  const start = offsetOf(first, map);
  const labels = new Uint16Array(rows * columns);
  for (let row = 0, n = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, n++) {
      labels[n] = map.labels[start + column * beside + row * under] ?? 0;
    }
  }
  return labels;
}

/** From one pixel to the next in the label map's array, of `count` from voxel to voxel along one axis. */
function step(first: readonly number[], last: readonly number[], count: number, map: LabelMap): number {
  const moved = first.map((index, axis) => Math.abs(at(last, axis) - index));
  if (moved.filter((voxels) => voxels === 0).length < 2 || Math.max(...moved) !== count - 1) {
    throw new SegmentationError("The images' pixels are not the label map's voxels one by one.");
  }
  return count === 1 ? 0 : (offsetOf(last, map) - offsetOf(first, map)) / (count - 1);
}

function offsetOf(index: readonly number[], { shape: [ni, nj] }: LabelMap): number {
  return at(index, 0) + ni * (at(index, 1) + nj * at(index, 2));
}

/** How far along the slices' normal a slice lies, in millimetres. */
export function along({ origin, right, down }: Pick<Slice, 'origin' | 'right' | 'down'>): number {
  const normal: Point = [
    right[1] * down[2] - right[2] * down[1],
    right[2] * down[0] - right[0] * down[2],
    right[0] * down[1] - right[1] * down[0],
  ];
  return (origin[0] * normal[0] + origin[1] * normal[1] + origin[2] * normal[2]) / Math.hypot(...normal);
}

function labelled(labels: Iterable<number>): number {
  let count = 0;
  for (const label of labels) if (label !== 0) count += 1;
  return count;
}

function at(vector: readonly number[] | undefined, n: number): number {
  return vector?.[n] ?? Number.NaN;
}
