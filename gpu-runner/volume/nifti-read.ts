import { INPUT_GRID_MAX_VOXELS } from '../../schemas/limits.ts';
import { ByteReader, isGzip } from './byte-reader.ts';
import { invalidVolume } from './invalid.ts';
import { LAYOUTS, type NiftiHeader } from './nifti-header.ts';
import { formatOf, type ParsedHeader, parseHeader } from './nifti-parse.ts';
import type { Grid } from './spacing.ts';
import { type Volume, voxelCount } from './volume.ts';

/** A volume and what an answer on its grid repeats of its header. */
export interface NiftiImage {
  readonly volume: Volume;
  readonly header: NiftiHeader;
}

const BLOCK_VOXELS = 2 ** 17;
/** Some writers pad their files; more than this after the voxels is another thing than the header says. */
const TRAILING_MAX_BYTES = 2 ** 20;
/** Scans shrink two- to tenfold. What shrinks more than this holds no image, and would cost far more than it cost to send. */
const GZIP_RATIO_MAX = 200;
const GZIP_FREE_BYTES = 64 * 2 ** 20;
/** Gzipped volumes beyond this are unpacked once for their length alone, before anything of their size is allocated. */
const TRUSTED_VOXELS = 2 ** 24;

/**
 * Reads a NIfTI-1 or NIfTI-2 file, gzipped or not, as float32 after `scl_slope` and `scl_inter`. A file never unpacks further than
 * its header says, and nothing of the volume's size is kept beside the volume itself.
 *
 * @throws ServiceError `invalid_volume` with what is wrong with the file
 */
export async function readNifti(file: Uint8Array, options: { readonly maxVoxels?: number } = {}): Promise<NiftiImage> {
  if (file.length === 0) throw invalidVolume('The file is empty.');
  const reader = new ByteReader(file);
  try {
    const parsed = await readHeader(reader, options.maxVoxels ?? INPUT_GRID_MAX_VOXELS);
    await checkPromise(parsed, file);
    const data = await readVoxels(reader, parsed);
    if ((await reader.skip(TRAILING_MAX_BYTES + 1)) > TRAILING_MAX_BYTES) {
      throw invalidVolume('The file holds far more data than its header says.');
    }
    return { volume: { shape: parsed.header.shape, affine: parsed.affine, data }, header: parsed.header };
  } finally {
    await reader.close();
  }
}

/**
 * Where the voxels of a file lie, by its first bytes alone, so that what a volume costs is known before it is decoded.
 *
 * @throws ServiceError `invalid_volume` as `readNifti` does, for what the header says
 */
export async function readNiftiGrid(file: Uint8Array, options: { readonly maxVoxels: number }): Promise<Grid> {
  if (file.length === 0) throw invalidVolume('The file is empty.');
  const reader = new ByteReader(file);
  try {
    const { header, affine } = await readHeader(reader, options.maxVoxels);
    return { shape: header.shape, affine };
  } finally {
    await reader.close();
  }
}

async function readHeader(reader: ByteReader, maxVoxels: number): Promise<ParsedHeader> {
  const raw = new Uint8Array(LAYOUTS[2].bytes);
  const start = raw.subarray(0, LAYOUTS[1].bytes);
  if ((await reader.fill(start)) < start.length) throw invalidVolume('The file ends inside its header.');
  const { version, littleEndian } = formatOf(start);
  const rest = raw.subarray(start.length, LAYOUTS[version].bytes);
  if ((await reader.fill(rest)) < rest.length) throw invalidVolume('The file ends inside its header.');
  const parsed = parseHeader(raw.subarray(0, LAYOUTS[version].bytes), version, littleEndian, maxVoxels);
  const gap = parsed.offset - LAYOUTS[version].bytes;
  if ((await reader.skip(gap)) < gap) throw invalidVolume('The file ends before its voxels begin.');
  return parsed;
}

/** Refuses, before anything is allocated for it, what the file cannot hold. */
async function checkPromise(parsed: ParsedHeader, file: Uint8Array): Promise<void> {
  const voxels = voxelCount(parsed.header.shape);
  const promised = parsed.offset + voxels * parsed.datatype.bytes;
  if (!isGzip(file)) {
    if (promised > file.length)
      throw invalidVolume(`The header promises ${promised} bytes, the file has ${file.length}.`);
    return;
  }
  if (promised > file.length * GZIP_RATIO_MAX + GZIP_FREE_BYTES) {
    throw invalidVolume(`The header promises ${promised} bytes of a gzip file of ${file.length}: that is no image.`);
  }
  if (voxels <= TRUSTED_VOXELS) return;
  const reader = new ByteReader(file);
  try {
    const held = await reader.skip(promised);
    if (held < promised) throw invalidVolume(`The header promises ${promised} bytes, the file unpacks to ${held}.`);
  } finally {
    await reader.close();
  }
}

/** Reads the voxels block by block into C order. */
async function readVoxels(reader: ByteReader, parsed: ParsedHeader): Promise<Float32Array> {
  const { datatype, slope, intercept, header } = parsed;
  const [ni, nj, nk] = header.shape;
  const total = ni * nj * nk;
  const out = new Float32Array(total);
  const block = new Uint8Array(Math.min(total, BLOCK_VOXELS) * datatype.bytes);
  const view = new DataView(block.buffer);
  let [i, j, k] = [0, 0, 0];
  for (let done = 0; done < total; ) {
    const voxels = Math.min(total - done, BLOCK_VOXELS);
    const got = await reader.fill(block.subarray(0, voxels * datatype.bytes));
    if (got < voxels * datatype.bytes) {
      throw invalidVolume(`The file ends after ${done + Math.floor(got / datatype.bytes)} of ${total} voxels.`);
    }
    for (let n = 0; n < voxels; n++) {
      const value = Math.fround(datatype.read(view, n * datatype.bytes, header.littleEndian) * slope + intercept);
      if (!Number.isFinite(value)) throw invalidVolume(`Voxel (${i}, ${j}, ${k}) is NaN, infinite or beyond float32.`);
      out[(i * nj + j) * nk + k] = value;
      if (++i === ni) {
        i = 0;
        if (++j === nj) {
          j = 0;
          k++;
        }
      }
    }
    done += voxels;
  }
  return out;
}
