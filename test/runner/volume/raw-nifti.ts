/** The fields a test sets; the rest of the header is zero. Offsets are those of nifti1.h and nifti2.h, written down once more. */
export interface RawNifti {
  version?: 1 | 2;
  littleEndian?: boolean;
  dim?: readonly number[];
  datatype?: number;
  pixdim?: readonly number[];
  offset?: number;
  slope?: number;
  intercept?: number;
  units?: number;
  qformCode?: number;
  sformCode?: number;
  quatern?: readonly number[];
  qoffset?: readonly number[];
  srow?: readonly number[];
  magic?: string;
  sizeofHdr?: number;
  /** Text for `descrip` and `aux_file`. */
  text?: string;
  /** Bytes between the extension flag and the voxels. */
  extension?: Uint8Array;
  /** Writes the voxels; `bytes` long. */
  voxels?: { bytes: number; write: (view: DataView, littleEndian: boolean) => void };
}

const OFFSETS = {
  1: {
    dim: 40,
    datatype: 70,
    pixdim: 76,
    offset: 108,
    slope: 112,
    intercept: 116,
    units: 123,
    text: 148,
    forms: 252,
    magic: 344,
  },
  2: {
    dim: 16,
    datatype: 12,
    pixdim: 104,
    offset: 168,
    slope: 176,
    intercept: 184,
    units: 500,
    text: 240,
    forms: 344,
    magic: 4,
  },
} as const;

/** A NIfTI file made byte by byte, apart from the writer that is tested elsewhere. A unit sform by default. */
export function rawNifti(raw: RawNifti): Uint8Array {
  const version = raw.version ?? 1;
  const le = raw.littleEndian ?? true;
  const at = OFFSETS[version];
  const size = version === 1 ? 348 : 540;
  const extension = raw.extension ?? new Uint8Array(0);
  const begin = size + 4 + extension.length;
  const file = new Uint8Array(begin + (raw.voxels?.bytes ?? 0));
  const view = new DataView(file.buffer);
  const real = (offset: number, values: readonly number[]) => {
    for (const [n, value] of values.entries()) {
      if (version === 1) view.setFloat32(offset + 4 * n, value, le);
      else view.setFloat64(offset + 8 * n, value, le);
    }
  };
  view.setInt32(0, raw.sizeofHdr ?? size, le);
  for (const [n, side] of (raw.dim ?? [3, 2, 3, 4]).entries()) {
    if (version === 1) view.setInt16(at.dim + 2 * n, side, le);
    else view.setBigInt64(at.dim + 8 * n, BigInt(side), le);
  }
  view.setInt16(at.datatype, raw.datatype ?? 2, le);
  real(at.pixdim, raw.pixdim ?? [1, 1, 1, 1]);
  if (version === 1) view.setFloat32(at.offset, raw.offset ?? begin, le);
  else view.setBigInt64(at.offset, BigInt(raw.offset ?? begin), le);
  real(at.slope, [raw.slope ?? 1]);
  real(at.intercept, [raw.intercept ?? 0]);
  if (version === 1) view.setUint8(at.units, raw.units ?? 2);
  else view.setInt32(at.units, raw.units ?? 2, le);
  file.set(new TextEncoder().encode(raw.text ?? ''), at.text);
  const wide = version === 1 ? 2 : 4;
  for (const [n, code] of [raw.qformCode ?? 0, raw.sformCode ?? 1].entries()) {
    if (version === 1) view.setInt16(at.forms + wide * n, code, le);
    else view.setInt32(at.forms + wide * n, code, le);
  }
  real(at.forms + 2 * wide, [
    ...(raw.quatern ?? [0, 0, 0]),
    ...(raw.qoffset ?? [0, 0, 0]),
    ...(raw.srow ?? [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
  ]);
  file.set(new TextEncoder().encode(raw.magic ?? (version === 1 ? 'n+1\0' : 'n+2\0\r\n\x1a\n')), at.magic);
  if (extension.length > 0) file[size] = 1;
  file.set(extension, size + 4);
  raw.voxels?.write(new DataView(file.buffer, begin), le);
  return file;
}

type Write = (view: DataView, offset: number, value: number, littleEndian: boolean) => void;

/** Voxels of `size` bytes each, written one after the other. */
export function voxels(values: readonly number[], size: number, write: Write): NonNullable<RawNifti['voxels']> {
  return {
    bytes: values.length * size,
    write: (view, littleEndian) => {
      for (const [n, value] of values.entries()) write(view, n * size, value, littleEndian);
    },
  };
}

/** Voxels of one byte each. */
export function byteVoxels(values: readonly number[]): NonNullable<RawNifti['voxels']> {
  return voxels(values, 1, (view, offset, value) => view.setUint8(offset, value));
}

/** Voxels as float32. */
export function floatVoxels(values: readonly number[]): NonNullable<RawNifti['voxels']> {
  return voxels(values, 4, (view, offset, value, le) => view.setFloat32(offset, value, le));
}

/** 0, 1, 2 … as bytes: 24 voxels fill the default grid. */
export const COUNTING = byteVoxels(Array.from({ length: 24 }, (_, n) => n));
