import { invalidVolume } from './invalid.ts';
import { imageAffine } from './nifti-affine.ts';
import { type Datatype, datatypeOf } from './nifti-datatypes.ts';
import { gridHeader, HeaderFields, LAYOUTS, type NiftiHeader } from './nifti-header.ts';
import { type Affine, type Vec3, voxelCount } from './volume.ts';

/** Extensions between header and voxels longer than this are no plausible offset. */
const EXTENSIONS_MAX_BYTES = 16 * 2 ** 20;

/** What a header says of the file, checked. */
export interface ParsedHeader {
  readonly header: NiftiHeader;
  readonly affine: Affine;
  readonly datatype: Datatype;
  /** Where the voxels begin. */
  readonly offset: number;
  readonly slope: number;
  readonly intercept: number;
}

/** The version and byte order that a file's first four bytes, `sizeof_hdr`, tell. */
export function formatOf(start: Uint8Array): { version: 1 | 2; littleEndian: boolean } {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  for (const littleEndian of [true, false]) {
    for (const version of [1, 2] as const) {
      if (view.getInt32(0, littleEndian) === LAYOUTS[version].bytes) return { version, littleEndian };
    }
  }
  throw invalidVolume(`Not a NIfTI file: sizeof_hdr is ${view.getInt32(0, true)}, not 348 or 540.`);
}

/**
 * Reads and checks a whole header.
 *
 * @param raw the header's bytes, as many as `LAYOUTS[version].bytes`
 * @param maxVoxels the largest grid that is read
 * @throws ServiceError `invalid_volume` with the first thing that is wrong
 */
export function parseHeader(raw: Uint8Array, version: 1 | 2, littleEndian: boolean, maxVoxels: number): ParsedHeader {
  checkMagic(raw, version);
  const fields = new HeaderFields(raw, version, littleEndian);
  const shape = shapeOf(fields, maxVoxels);
  const datatype = datatypeOf(fields.get('datatype'));
  const { slope, intercept } = scalingOf(fields);
  return {
    header: gridHeader(raw, version, littleEndian),
    affine: imageAffine(fields, shape, version),
    datatype,
    offset: offsetOf(fields, version),
    slope,
    intercept,
  };
}

function checkMagic(raw: Uint8Array, version: 1 | 2): void {
  const { magic, magicOffset } = LAYOUTS[version];
  const found = raw.subarray(magicOffset, magicOffset + magic.length);
  if (magic.every((byte, n) => byte === found[n])) return;
  const text = String.fromCharCode(...found.subarray(0, 3));
  if (text === `ni${version}`)
    throw invalidVolume('The file is one of a pair (.hdr and .img); a single file (.nii) is needed.');
  throw invalidVolume(`Not a NIfTI-${version} file: the magic string is wrong.`);
}

function shapeOf(fields: HeaderFields, maxVoxels: number): Vec3 {
  const [rank = 0, ...dims] = fields.all('dim');
  if (rank < 1 || rank > 7) throw invalidVolume(`dim[0] is ${rank}, not a number of dimensions.`);
  const used = dims.slice(0, rank);
  const text = used.join(' x ');
  if (used.some((side) => side < 1)) throw invalidVolume(`The dimensions are ${text}; each must be at least 1.`);
  if (rank < 3) throw invalidVolume(`The image has ${rank} dimensions (${text}); a volume has 3.`);
  if (used.slice(3).some((side) => side !== 1)) {
    throw invalidVolume(`The image has ${rank} dimensions (${text}); one volume of 3 is needed.`);
  }
  const [ni = 0, nj = 0, nk = 0] = used;
  const shape: Vec3 = [ni, nj, nk];
  if (voxelCount(shape) > maxVoxels) {
    throw invalidVolume(`The header promises ${text} voxels; at most ${maxVoxels} are read.`);
  }
  return shape;
}

/** nibabel's rule: no scaling where the slope is 0 or NaN. Other than nibabel, an infinite one is refused. */
function scalingOf(fields: HeaderFields): { slope: number; intercept: number } {
  const slope = fields.get('scl_slope');
  const intercept = fields.get('scl_inter');
  if (slope === 0 || Number.isNaN(slope)) return { slope: 1, intercept: 0 };
  if (!Number.isFinite(slope)) throw invalidVolume('The slope (scl_slope) is infinite.');
  if (!Number.isFinite(intercept)) throw invalidVolume('The intercept (scl_inter) is not finite.');
  return { slope, intercept };
}

function offsetOf(fields: HeaderFields, version: 1 | 2): number {
  const offset = fields.get('vox_offset');
  const least = LAYOUTS[version].bytes + 4;
  if (!Number.isInteger(offset) || offset < least || offset > least + EXTENSIONS_MAX_BYTES) {
    throw invalidVolume(
      `The voxels are said to begin at byte ${offset} (vox_offset), which no file of this kind does.`,
    );
  }
  return offset;
}
