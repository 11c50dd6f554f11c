import { at, columnLengths, determinant } from './affine.ts';
import { quaternionOf } from './quaternion.ts';
import type { Affine, Vec3 } from './volume.ts';

/** What an answer repeats of its input, bit for bit, and nothing else: other fields can name a patient. */
export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  readonly shape: Vec3;
  /** A header of this version and byte order, all zero but `dim[1..3]`, `pixdim[0..3]`, `xyzt_units`, form codes, quaternion and srow. */
  readonly grid: Uint8Array;
}

type NumberType = 'u8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64';

/** A field: byte offset, type of one number, how many. */
export interface Field {
  readonly offset: number;
  readonly type: NumberType;
  readonly count: number;
}

export interface Layout {
  /** `sizeof_hdr`, the header's length without the four bytes that announce extensions. */
  readonly bytes: number;
  readonly magic: Uint8Array;
  readonly magicOffset: number;
  readonly fields: Readonly<Record<FieldName, Field>>;
}

type FieldName =
  | 'sizeof_hdr'
  | 'dim'
  | 'intent_code'
  | 'datatype'
  | 'bitpix'
  | 'pixdim'
  | 'vox_offset'
  | 'scl_slope'
  | 'scl_inter'
  | 'xyzt_units'
  | 'qform_code'
  | 'sform_code'
  | 'quatern'
  | 'qoffset'
  | 'srow';

const field = (offset: number, type: NumberType, count = 1): Field => ({ offset, type, count });

/** Where the fields lie, from nifti1.h and nifti2.h. */
export const LAYOUTS: Readonly<Record<1 | 2, Layout>> = {
  1: {
    bytes: 348,
    magic: Uint8Array.of(0x6e, 0x2b, 0x31, 0),
    magicOffset: 344,
    fields: {
      sizeof_hdr: field(0, 'i32'),
      dim: field(40, 'i16', 8),
      intent_code: field(68, 'i16'),
      datatype: field(70, 'i16'),
      bitpix: field(72, 'i16'),
      pixdim: field(76, 'f32', 8),
      vox_offset: field(108, 'f32'),
      scl_slope: field(112, 'f32'),
      scl_inter: field(116, 'f32'),
      xyzt_units: field(123, 'u8'),
      qform_code: field(252, 'i16'),
      sform_code: field(254, 'i16'),
      quatern: field(256, 'f32', 3),
      qoffset: field(268, 'f32', 3),
      srow: field(280, 'f32', 12),
    },
  },
  2: {
    bytes: 540,
    magic: Uint8Array.of(0x6e, 0x2b, 0x32, 0, 0x0d, 0x0a, 0x1a, 0x0a),
    magicOffset: 4,
    fields: {
      sizeof_hdr: field(0, 'i32'),
      dim: field(16, 'i64', 8),
      intent_code: field(504, 'i32'),
      datatype: field(12, 'i16'),
      bitpix: field(14, 'i16'),
      pixdim: field(104, 'f64', 8),
      vox_offset: field(168, 'i64'),
      scl_slope: field(176, 'f64'),
      scl_inter: field(184, 'f64'),
      xyzt_units: field(500, 'i32'),
      qform_code: field(344, 'i32'),
      sform_code: field(348, 'i32'),
      quatern: field(352, 'f64', 3),
      qoffset: field(376, 'f64', 3),
      srow: field(400, 'f64', 12),
    },
  },
};

interface Codec {
  readonly bytes: number;
  get(view: DataView, offset: number, littleEndian: boolean): number;
  set(view: DataView, offset: number, value: number, littleEndian: boolean): void;
}

const CODECS: Readonly<Record<NumberType, Codec>> = {
  u8: { bytes: 1, get: (v, o) => v.getUint8(o), set: (v, o, x) => v.setUint8(o, x) },
  i16: { bytes: 2, get: (v, o, le) => v.getInt16(o, le), set: (v, o, x, le) => v.setInt16(o, x, le) },
  i32: { bytes: 4, get: (v, o, le) => v.getInt32(o, le), set: (v, o, x, le) => v.setInt32(o, x, le) },
  // Beyond 2^53 a number is rounded, which leaves it far beyond every limit.
  i64: {
    bytes: 8,
    get: (v, o, le) => Number(v.getBigInt64(o, le)),
    set: (v, o, x, le) => v.setBigInt64(o, BigInt(x), le),
  },
  f32: { bytes: 4, get: (v, o, le) => v.getFloat32(o, le), set: (v, o, x, le) => v.setFloat32(o, x, le) },
  f64: { bytes: 8, get: (v, o, le) => v.getFloat64(o, le), set: (v, o, x, le) => v.setFloat64(o, x, le) },
};

/** Bytes of `count` numbers of a field from its number `first` on: `[begin, end)` in the header. */
function span(f: Field, first: number, count: number): [number, number] {
  const size = CODECS[f.type].bytes;
  return [f.offset + first * size, f.offset + (first + count) * size];
}

/** Reads and writes fields by name in the header's version and byte order. */
export class HeaderFields {
  readonly #view: DataView;
  readonly #layout: Layout;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, version: 1 | 2, littleEndian: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#layout = LAYOUTS[version];
    this.#littleEndian = littleEndian;
  }

  get(name: FieldName, index = 0): number {
    const f = this.#layout.fields[name];
    const codec = CODECS[f.type];
    return codec.get(this.#view, f.offset + index * codec.bytes, this.#littleEndian);
  }

  /** All numbers of a field. */
  all(name: FieldName): number[] {
    return Array.from({ length: this.#layout.fields[name].count }, (_, index) => this.get(name, index));
  }

  /** Writes numbers from number `first` of a field on. */
  set(name: FieldName, values: readonly number[], first = 0): void {
    const f = this.#layout.fields[name];
    const codec = CODECS[f.type];
    for (const [n, value] of values.entries()) {
      codec.set(this.#view, f.offset + (first + n) * codec.bytes, value, this.#littleEndian);
    }
  }
}

/** The fields an answer repeats, and from which to which number of each. */
const REPEATED: readonly (readonly [FieldName, number, number])[] = [
  ['dim', 1, 3],
  ['pixdim', 0, 4],
  ['xyzt_units', 0, 1],
  ['qform_code', 0, 1],
  ['sform_code', 0, 1],
  ['quatern', 0, 3],
  ['qoffset', 0, 3],
  ['srow', 0, 12],
];

/** What an answer repeats of the header `raw`, as bytes. */
export function gridHeader(raw: Uint8Array, version: 1 | 2, littleEndian: boolean): NiftiHeader {
  const layout = LAYOUTS[version];
  const grid = new Uint8Array(layout.bytes);
  for (const [name, first, count] of REPEATED) {
    const [begin, end] = span(layout.fields[name], first, count);
    grid.set(raw.subarray(begin, end), begin);
  }
  const fields = new HeaderFields(raw, version, littleEndian);
  return { version, littleEndian, shape: [fields.get('dim', 1), fields.get('dim', 2), fields.get('dim', 3)], grid };
}

/**
 * A fresh NIfTI-1 little-endian header in millimetres, sform and qform both with code 1.
 * A quaternion holds no shear: where `affine` has some, the qform is its nearest rotation and the sform counts.
 *
 * @param shape sides of the grid, 1 to 32767 each
 * @param affine voxel index to RAS+ millimetres, not singular
 */
export function newHeader(shape: Vec3, affine: Affine): NiftiHeader {
  const bytes = new Uint8Array(LAYOUTS[1].bytes);
  const fields = new HeaderFields(bytes, 1, true);
  const millimetres = 2;
  fields.set('dim', shape, 1);
  fields.set('pixdim', [determinant(affine) < 0 ? -1 : 1, ...columnLengths(affine)]);
  fields.set('xyzt_units', [millimetres]);
  fields.set('qform_code', [1]);
  fields.set('sform_code', [1]);
  fields.set('quatern', quaternionOf(affine));
  fields.set('qoffset', [at(affine, 0, 3), at(affine, 1, 3), at(affine, 2, 3)]);
  fields.set('srow', Array.from(affine.subarray(0, 12)));
  return { version: 1, littleEndian: true, shape, grid: bytes };
}
