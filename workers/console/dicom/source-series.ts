import dcmjs, { type Dataset } from 'dcmjs';
import { SegmentationError } from './segmentation-error.ts';

export type Point = readonly [number, number, number];

/** One image of the source series: where its pixels lie, in LPS+ millimetres, and what a segmentation repeats of it. */
export interface Slice {
  readonly header: Dataset;
  readonly rows: number;
  readonly columns: number;
  /** The centre of its first pixel. */
  readonly origin: Point;
  /** From one pixel to the next in its row, and to the one below. */
  readonly right: Point;
  readonly down: Point;
}

/** Pixel data, which no header needs. */
const PIXEL_DATA = '7FE00010';

/**
 * The headers of a series' files, in any order. Throws `SegmentationError` for a file that is no single image, and where
 * they are not of one series and one frame of reference.
 */
export function readSeries(files: readonly Uint8Array[]): Slice[] {
  const slices = files.map(sliceOf);
  const [first] = slices;
  if (first === undefined) throw new SegmentationError('Expected the files of a DICOM series, found none.');
  for (const name of ['SeriesInstanceUID', 'StudyInstanceUID', 'FrameOfReferenceUID', 'SOPClassUID']) {
    if (slices.some(({ header }) => header[name] !== first.header[name])) {
      throw new SegmentationError(`Expected one DICOM series, found images that differ in ${name}.`);
    }
  }
  if (new Set(slices.map(({ header }) => header['SOPInstanceUID'])).size < slices.length) {
    throw new SegmentationError('Expected each image of the series once.');
  }
  return slices;
}

/** Images of one size and orientation, as a volume has them: of a series of localizers there are several such groups. */
export function groupsOf(slices: readonly Slice[]): Slice[][] {
  const groups: [Slice, ...Slice[]][] = [];
  for (const slice of slices) {
    const like = groups.find(([first]) => {
      const turned = distance(slice.right, first.right) + distance(slice.down, first.down);
      return slice.rows === first.rows && slice.columns === first.columns && turned <= 1e-3;
    });
    if (like === undefined) groups.push([slice]);
    else like.push(slice);
  }
  return groups;
}

/** Whether a file is an image of a series; what is no readable DICOM file is none. */
export function isOfSeries(file: Uint8Array, uid: string): boolean {
  try {
    return headerOf(file)['SeriesInstanceUID'] === uid;
  } catch {
    return false;
  }
}

function sliceOf(file: Uint8Array): Slice {
  const header = headerOf(file);
  const [rows, columns] = [numbersOf(header, 'Rows', 1)[0] ?? 0, numbersOf(header, 'Columns', 1)[0] ?? 0];
  if (Number(header['NumberOfFrames'] ?? 1) !== 1) {
    throw new SegmentationError('Expected images of one frame each, found one of several.');
  }
  const [x = 0, y = 0, z = 0] = numbersOf(header, 'ImagePositionPatient', 3);
  const [rx = 0, ry = 0, rz = 0, dx = 0, dy = 0, dz = 0] = numbersOf(header, 'ImageOrientationPatient', 6);
  // Between rows, then between columns.
  const [between = 0, beside = 0] = numbersOf(header, 'PixelSpacing', 2);
  return {
    header,
    rows,
    columns,
    origin: [x, y, z],
    right: [rx * beside, ry * beside, rz * beside],
    down: [dx * between, dy * between, dz * between],
  };
}

function headerOf(file: Uint8Array): Dataset {
  try {
    const options = { untilTag: PIXEL_DATA, includeUntilTagValue: false };
    const { dict } = dcmjs.data.DicomMessage.readFile(file.slice().buffer, options);
    return dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
  } catch (cause) {
    throw new SegmentationError('A file of the series is no readable DICOM file.', { cause });
  }
}

function numbersOf(header: Dataset, name: string, count: number): number[] {
  const value = header[name];
  const numbers = (Array.isArray(value) ? value : [value]).map(Number);
  if (numbers.length === count && numbers.every(Number.isFinite)) return numbers;
  throw new SegmentationError(`Expected ${name} in each image of the series.`);
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
