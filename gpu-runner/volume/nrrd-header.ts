import { invalidVolume } from './invalid.ts';
import { type Datatype, datatypeOf } from './nifti-datatypes.ts';
import { spaceOf } from './nrrd-space.ts';
import { type Affine, type Vec3, voxelCount } from './volume.ts';

/** What a NRRD header says of the voxels after it, checked. */
export interface NrrdHeader {
  readonly shape: Vec3;
  readonly affine: Affine;
  readonly datatype: Datatype;
  readonly littleEndian: boolean;
  readonly gzipped: boolean;
}

/** The types of the specification's section 4 by NIfTI's codes of the same numbers. */
const TYPES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    256: ['signed char', 'int8', 'int8_t'],
    2: ['uchar', 'unsigned char', 'uint8', 'uint8_t'],
    4: ['short', 'short int', 'signed short', 'signed short int', 'int16', 'int16_t'],
    512: ['ushort', 'unsigned short', 'unsigned short int', 'uint16', 'uint16_t'],
    8: ['int', 'signed int', 'int32', 'int32_t'],
    768: ['uint', 'unsigned int', 'uint32', 'uint32_t'],
    1024: ['longlong', 'long long', 'long long int', 'signed long long', 'signed long long int', 'int64', 'int64_t'],
    1280: ['ulonglong', 'unsigned long long', 'unsigned long long int', 'uint64', 'uint64_t'],
    16: ['float'],
    64: ['double'],
  }).flatMap(([code, names]) => names.map((name): [string, number] => [name, Number(code)])),
);

/** NIfTI-1, the format of an answer, counts a side with 16 bits. */
const SIDE_MAX_VOXELS = 32_767;

/**
 * @param fields of the header, as `readFields` gives them
 * @param maxVoxels the largest grid that is read
 * @throws ServiceError `invalid_volume` with the first thing that is wrong
 */
export function parseNrrdHeader(fields: ReadonlyMap<string, string>, maxVoxels: number): NrrdHeader {
  if (fields.has('datafile')) {
    throw invalidVolume('The NRRD header is detached (data file); header and voxels are needed in one file.');
  }
  for (const name of ['lineskip', 'byteskip']) {
    if (Number(fields.get(name) ?? 0) !== 0) {
      throw invalidVolume('The NRRD header skips lines or bytes; the voxels are needed right after it.');
    }
  }
  const gzipped = isGzipped(needed(fields, 'encoding'));
  const datatype = typeOf(needed(fields, 'type'));
  const sizes = sizesOf(fields);
  const { axes, affine } = spaceOf(fields, sizes.length);
  const others = sizes.filter((_, axis) => !axes.includes(axis));
  if (others.some((size) => size !== 1)) {
    throw invalidVolume(`The image is of ${sizes.join(' x ')} values; one volume of 3 dimensions is needed.`);
  }
  const [ni = 0, nj = 0, nk = 0] = axes.map((axis) => sizes[axis] ?? 0);
  const shape: Vec3 = [ni, nj, nk];
  if (voxelCount(shape) > maxVoxels || Math.max(...shape) > SIDE_MAX_VOXELS) {
    const most = `at most ${maxVoxels} are read, and ${SIDE_MAX_VOXELS} along a side`;
    throw invalidVolume(`The header promises ${shape.join(' x ')} voxels; ${most}.`);
  }
  return { shape, affine, datatype, littleEndian: isLittleEndian(fields, datatype), gzipped };
}

function needed(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw invalidVolume(`The NRRD header has no ${name}.`);
  return value.toLowerCase();
}

function isGzipped(encoding: string): boolean {
  if (encoding === 'gzip' || encoding === 'gz') return true;
  if (encoding === 'raw') return false;
  throw invalidVolume('The encoding of the NRRD file is neither raw nor gzip.');
}

function typeOf(name: string): Datatype {
  const code = TYPES.get(name.replace(/\s+/g, ' '));
  if (code === undefined) throw invalidVolume('The type of the NRRD file is not one number of 8 to 64 bits a voxel.');
  return datatypeOf(code);
}

function sizesOf(fields: ReadonlyMap<string, string>): number[] {
  const dimension = Number(needed(fields, 'dimension'));
  const sizes = needed(fields, 'sizes').split(/\s+/).map(Number);
  if (sizes.length !== dimension || !sizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw invalidVolume('The sizes of the NRRD header are not one whole number for each dimension.');
  }
  if (dimension < 3) throw invalidVolume(`The image has ${dimension} dimensions; a volume has 3.`);
  return sizes;
}

function isLittleEndian(fields: ReadonlyMap<string, string>, { bytes }: Datatype): boolean {
  if (bytes === 1) return true;
  const endian = needed(fields, 'endian');
  if (endian === 'little' || endian === 'big') return endian === 'little';
  throw invalidVolume('The endian of the NRRD header is neither little nor big.');
}
