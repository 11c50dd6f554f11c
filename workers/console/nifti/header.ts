import { z } from 'zod';
import { labelSchema } from '../../../schemas/manifest-parts.ts';
import { rowsOfQuaternion } from './quaternion.ts';

/** From a voxel to RAS+ millimetres, its three rows. */
export type Rows = readonly [Row, Row, Row];
export type Row = readonly [number, number, number, number];

/** What the page reads of a label map: one 3-D NIfTI file of the service, unpacked. */
export interface LabelMapHeader {
  readonly little: boolean;
  readonly shape: readonly [number, number, number];
  /** The service writes uint8 or uint16. */
  readonly bytesPerVoxel: number;
  /** Where the voxels begin, the first axis fastest. */
  readonly offset: number;
  readonly affine: Rows;
  /** The service's JSON on labels, adapter and base, as it stands in the file; null where there is none. */
  readonly note: string | null;
}

/** What NIfTI calls the extension that holds JSON. */
const EXTENSION_CODE = 6;
const noteSchema = z.object({ labels: z.array(labelSchema) });

/** Where the fields lie, as nifti1.h and nifti2.h have them. */
const NIFTI1 = {
  header: 348,
  dim: 40,
  bitpix: 72,
  pixdim: 76,
  offset: 108,
  qform: 252,
  sform: 254,
  quatern: 256,
  srow: 280,
};
const NIFTI2 = {
  header: 540,
  dim: 16,
  bitpix: 14,
  pixdim: 104,
  offset: 168,
  qform: 344,
  sform: 348,
  quatern: 352,
  srow: 400,
};

export function readHeader(bytes: Uint8Array): LabelMapHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = [NIFTI1.header, NIFTI2.header].includes(view.getInt32(0, true));
  const second = view.getInt32(0, little) === NIFTI2.header;
  const at = second ? NIFTI2 : NIFTI1;
  const side = (n: number) =>
    second ? Number(view.getBigInt64(at.dim + 8 * n, little)) : view.getInt16(at.dim + 2 * n, little);
  const real = (from: number, n: number) =>
    second ? view.getFloat64(from + 8 * n, little) : view.getFloat32(from + 4 * n, little);
  const code = (from: number) => (second ? view.getInt32(from, little) : view.getInt16(from, little));
  const row = (n: number): Row => [
    real(at.srow, 4 * n),
    real(at.srow, 4 * n + 1),
    real(at.srow, 4 * n + 2),
    real(at.srow, 4 * n + 3),
  ];
  const sizes = [1, 2, 3].map((n) => Math.abs(real(at.pixdim, n)) || 1);
  const shape = [side(1), side(2), side(3)] as const;
  const quaternion = [0, 1, 2, 3, 4, 5].map((n) => real(at.quatern, n));
  return {
    little,
    shape,
    bytesPerVoxel: view.getInt16(at.bitpix, little) / 8,
    offset: second ? Number(view.getBigInt64(at.offset, little)) : view.getFloat32(at.offset, little),
    affine: affineOf({
      sform: isForm(code(at.sform)) ? [row(0), row(1), row(2)] : null,
      qform: rowsOfQuaternion(quaternion, sizes, real(at.pixdim, 0) === -1 ? -1 : 1),
      hasQform: isForm(code(at.qform)),
      sizes,
      shape,
    }),
    note: noteOf(bytes, at.header, little),
  };
}

/** The labels that the service's note names; none where there is no note. */
export function notedLabels({ note }: Pick<LabelMapHeader, 'note'>) {
  if (note === null) return [];
  const parsed = noteSchema.safeParse(JSON.parse(note));
  return parsed.success ? parsed.data.labels : [];
}

/**
 * The affine by the service's own rule: the sform, unless its columns are of other lengths than pixdim says while the
 * qform can be read (MONAI, `rectify_header_sform_qform`); else the qform; else voxel sizes around the centre, x to the left.
 */
function affineOf(given: {
  readonly sform: Rows | null;
  readonly qform: Rows | null;
  readonly hasQform: boolean;
  readonly sizes: readonly number[];
  readonly shape: readonly number[];
}): Rows {
  const { sform, qform, hasQform, sizes, shape } = given;
  if (sform !== null) {
    const agrees = sizes.every((size, n) => {
      const length = Math.hypot(...sform.map((row) => row[n] ?? 0));
      return Math.abs(length - size) <= 1e-8 + 1e-5 * Math.max(length, size);
    });
    return agrees || qform === null ? sform : qform;
  }
  if (hasQform && qform !== null) return qform;
  const [right = 1, front = 1, up = 1] = sizes;
  const [i = 0, j = 0, k = 0] = shape.map((side) => (side - 1) / 2);
  return [
    [-right, 0, 0, i * right],
    [0, front, 0, -j * front],
    [0, 0, up, -k * up],
  ];
}

/** nifti1.h names the codes 1 to 5. */
function isForm(code: number): boolean {
  return code > 0 && code <= 5;
}

function noteOf(bytes: Uint8Array, header: number, little: boolean): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[header] === 0 || view.byteLength < header + 12) return null;
  const size = view.getInt32(header + 4, little);
  if (view.getInt32(header + 8, little) !== EXTENSION_CODE) return null;
  return new TextDecoder().decode(bytes.subarray(header + 12, header + 4 + size)).replace(/\0+$/, '');
}
