import { decompress, isCompressed, isNIFTI, NIFTI1, readHeader, readImage } from 'nifti-reader-js';
import { SegmentationError } from './segmentation-error.ts';
import type { Point } from './source-series.ts';

/** A label map with its place. */
export interface LabelMap {
  readonly shape: readonly [number, number, number];
  /** The first axis fastest. */
  readonly labels: Uint8Array | Uint16Array;
  /** The voxel, in fractions, at a point in LPS+ millimetres. */
  indexAt(point: Point): Point;
}

/** Reads the service's own answer: a NIfTI label map, gzipped or not. Throws `SegmentationError`. */
export function readLabelMap(file: Uint8Array): LabelMap {
  const packed = file.slice().buffer;
  const content = isCompressed(packed) ? decompress(packed) : packed;
  const header = content instanceof ArrayBuffer && isNIFTI(content) ? readHeader(content) : null;
  if (header === null || !(content instanceof ArrayBuffer)) {
    throw new SegmentationError('Expected a label map as NIfTI.');
  }
  const [, ni = 0, nj = 0, nk = 0] = header.dims;
  const bytes = readImage(header, content);
  const wide = header.datatypeCode === NIFTI1.TYPE_UINT16;
  if (!header.littleEndian || !(wide || header.datatypeCode === NIFTI1.TYPE_UINT8)) {
    throw new SegmentationError('Expected a label map of uint8 or uint16, little-endian.');
  }
  return {
    shape: [ni, nj, nk],
    labels: wide ? new Uint16Array(bytes) : new Uint8Array(bytes),
    indexAt: inverseOf(header.affine),
  };
}

/** From LPS+ back to voxels, by Cramer's rule. Throws where the affine is singular. */
function inverseOf(affine: readonly (readonly number[])[]): (point: Point) => Point {
  const column = (c: number): Point => [affine[0]?.[c] ?? 0, affine[1]?.[c] ?? 0, affine[2]?.[c] ?? 0];
  const [a, b, c, origin] = [column(0), column(1), column(2), column(3)];
  const volume = dot(a, cross(b, c));
  if (!Number.isFinite(volume) || volume === 0) throw new SegmentationError('The affine of the label map is singular.');
  return ([x, y, z]) => {
    const from: Point = [-x - origin[0], -y - origin[1], z - origin[2]];
    return [dot(from, cross(b, c)) / volume, dot(from, cross(c, a)) / volume, dot(from, cross(a, b)) / volume];
  };
}

function cross(a: Point, b: Point): Point {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function dot(a: Point, b: Point): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
