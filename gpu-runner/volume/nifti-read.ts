import { INPUT_GRID_MAX_VOXELS } from '../../schemas/limits.ts';
import { ByteReader, isGzip } from './byte-reader.ts';
import { invalidVolume } from './invalid.ts';
import { LAYOUTS } from './nifti-header.ts';
import { formatOf, type ParsedHeader, parseHeader } from './nifti-parse.ts';
import type { Image } from './read-image.ts';
import { checkPromise, readVoxels } from './read-voxels.ts';
import type { Grid } from './spacing.ts';

/**
 * Reads a NIfTI-1 or NIfTI-2 file, gzipped or not, as float32 after `scl_slope` and `scl_inter`. A file never unpacks further than
 * its header says, and nothing of the volume's size is kept beside the volume itself.
 *
 * @throws ServiceError `invalid_volume` with what is wrong with the file
 */
export async function readNifti(file: Uint8Array, options: { readonly maxVoxels?: number } = {}): Promise<Image> {
  if (file.length === 0) throw invalidVolume('The file is empty.');
  const reader = new ByteReader(file);
  try {
    const parsed = await readHeader(reader, options.maxVoxels ?? INPUT_GRID_MAX_VOXELS);
    const { header, affine } = parsed;
    const layout = { ...parsed, shape: header.shape, littleEndian: header.littleEndian };
    await checkPromise(layout, file, isGzip(file));
    const data = await readVoxels(reader, layout);
    return { volume: { shape: header.shape, affine, data }, header };
  } finally {
    await reader.close();
  }
}

/**
 * Where the voxels of a file lie, by its first bytes alone, so that what a volume costs is known before it is decoded.
 *
 * @throws ServiceError `invalid_volume` as `readNifti` does, for what the header says
 */
export async function readNiftiGrid(file: Uint8Array, maxVoxels: number): Promise<Grid> {
  if (file.length === 0) throw invalidVolume('The file is empty.');
  const reader = new ByteReader(file);
  try {
    const { header, affine } = await readHeader(reader, maxVoxels);
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
