import { ByteReader } from './byte-reader.ts';
import { newHeader } from './nifti-header.ts';
import { readFields } from './nrrd-fields.ts';
import { parseNrrdHeader } from './nrrd-header.ts';
import type { Image } from './read-image.ts';
import { checkPromise, readVoxels } from './read-voxels.ts';
import type { Grid } from './spacing.ts';

/**
 * Reads a NRRD file of one volume with its voxels in the same file, raw or gzipped, as float32. It is held to the same
 * promises as a NIfTI file; a NIfTI answer to it has a fresh header with its space as the sform.
 *
 * @throws ServiceError `invalid_volume` with what is wrong with the file
 */
export async function readNrrd(file: Uint8Array, maxVoxels: number): Promise<Image> {
  const { fields, bytes } = readFields(file);
  const { shape, affine, gzipped, ...coding } = parseNrrdHeader(fields, maxVoxels);
  const content = file.subarray(bytes);
  const layout = { ...coding, shape, offset: 0, slope: 1, intercept: 0 };
  await checkPromise(layout, content, gzipped);
  const reader = new ByteReader(content, gzipped);
  try {
    const data = await readVoxels(reader, layout);
    return { volume: { shape, affine, data }, header: newHeader(shape, affine) };
  } finally {
    await reader.close();
  }
}

/** Where the voxels of a NRRD file lie, by its header alone. Throws `invalid_volume` as `readNrrd` does. */
export function readNrrdGrid(file: Uint8Array, maxVoxels: number): Grid {
  const { shape, affine } = parseNrrdHeader(readFields(file).fields, maxVoxels);
  return { shape, affine };
}
