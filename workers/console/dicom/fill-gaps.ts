import { along } from './planes.ts';
import { SegmentationError } from './segmentation-error.ts';
import { readSeries, type Slice } from './source-series.ts';

/** The types that dcm2niix writes, by NIfTI's codes. */
const TYPES = {
  2: Uint8Array,
  4: Int16Array,
  8: Int32Array,
  16: Float32Array,
  512: Uint16Array,
} as const;
/** Where fields of nifti1.h lie. */
const AT = { dim: 40, datatype: 70, sliceCode: 122, pixdim: 76, voxOffset: 108, srow: 280 };
/** Of the step between slices, what rounding may make. */
const TOLERANCE = 0.1;
/** More filled slices than this for each image are no picture of anything. */
const FILLED_MOST = 1;

/**
 * A series with gaps as a volume of evenly spaced slices: each image is a slice as it is, and the places between, where
 * images are missing, are filled linearly from those beside. Null where the images are not whole steps apart.
 *
 * @param volume NIfTI-1 of dcm2niix, little-endian: a slice for each image in order, as if they were evenly spaced
 * @param files the series, in any order
 */
export function fillGaps(
  volume: Uint8Array<ArrayBuffer>,
  files: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> | null {
  const view = new DataView(volume.buffer, volume.byteOffset, volume.byteLength);
  const [ni = 0, nj = 0, nk = 0] = [1, 2, 3].map((n) => view.getInt16(AT.dim + 2 * n, true));
  const code = view.getInt16(AT.datatype, true);
  const column = [0, 1, 2].map((row) => view.getFloat32(AT.srow + 16 * row + 8, true));
  const places = placesOf(files, column);
  if (places?.length !== nk || view.getInt16(AT.dim, true) !== 3 || !isKnown(code)) return null;
  const step = Math.min(...places.slice(1).map((place, n) => place - (places[n] ?? 0)));
  const indices = places.map((place) => Math.round(place / step));
  const count = (indices.at(-1) ?? 0) + 1;
  const isWhole = places.every((place, n) => Math.abs(place / step - (indices[n] ?? 0)) <= TOLERANCE);
  if (!isWhole || count > nk * (1 + FILLED_MOST)) return null;

  const offset = view.getFloat32(AT.voxOffset, true);
  const images = new TYPES[code](volume.slice(offset).buffer);
  const slices = new TYPES[code](ni * nj * count);
  for (const [n, index] of indices.entries()) {
    const before = indices[n - 1] ?? index;
    for (let place = before + 1; place <= index; place++) {
      mix(images, slices, { size: ni * nj, image: n, place, share: (index - place) / (index - before) });
    }
    if (n === 0) mix(images, slices, { size: ni * nj, image: 0, place: 0, share: 0 });
  }
  const header = volume.slice(0, offset);
  const written = new DataView(header.buffer);
  const length = Math.hypot(...column);
  written.setInt16(AT.dim + 6, count, true);
  written.setFloat32(AT.pixdim + 12, step, true);
  written.setUint8(AT.sliceCode, 0);
  for (const [row, value] of column.entries())
    written.setFloat32(AT.srow + 16 * row + 8, (value / length) * step, true);
  const made = new Uint8Array(offset + slices.byteLength);
  made.set(header);
  made.set(new Uint8Array(slices.buffer), offset);
  return made;
}

/** Millimetres from the first slice to each, in the volume's order; null where they are not one volume's. */
function placesOf(files: readonly Uint8Array[], column: readonly number[]): number[] | null {
  const slices = seriesOf(files);
  const [first] = slices ?? [];
  if (slices === null || first === undefined) return null;
  const heights = slices.map(along).toSorted((a, b) => a - b);
  const places = isUpwards(first, column)
    ? heights.map((height) => height - (heights[0] ?? 0))
    : heights.toReversed().map((height) => (heights.at(-1) ?? 0) - height);
  return places.every((place, n) => n === 0 || place - (places[n - 1] ?? 0) > 1e-3) ? places : null;
}

function seriesOf(files: readonly Uint8Array[]): Slice[] | null {
  try {
    return readSeries(files);
  } catch (error) {
    if (error instanceof SegmentationError) return null;
    throw error;
  }
}

/** Whether the volume's slices follow each other as the images' normal points. */
function isUpwards({ right, down }: Slice, [x = 0, y = 0, z = 0]: readonly number[]): boolean {
  // The column is in RAS, the images' axes are in LPS.
  const normal = along({ origin: [-x, -y, z], right, down });
  return normal > 0;
}

/** An image, or a share of the one before it, as a slice. */
function mix(
  images: ArrayLike<number>,
  slices: Record<number, number>,
  { size, image, place, share }: { size: number; image: number; place: number; share: number },
): void {
  const isFloat = slices instanceof Float32Array;
  for (let n = 0; n < size; n++) {
    const here = images[image * size + n] ?? 0;
    const before = share === 0 ? here : (images[(image - 1) * size + n] ?? 0);
    const mixed = here * (1 - share) + before * share;
    slices[place * size + n] = isFloat ? mixed : Math.round(mixed);
  }
}

function isKnown(code: number): code is keyof typeof TYPES {
  return code in TYPES;
}
