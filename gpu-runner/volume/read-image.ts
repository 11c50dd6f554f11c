import { INPUT_GRID_MAX_VOXELS } from '../../schemas/limits.ts';
import type { NiftiHeader } from './nifti-header.ts';
import { readNifti, readNiftiGrid } from './nifti-read.ts';
import { isNrrd } from './nrrd-fields.ts';
import { readNrrd, readNrrdGrid } from './nrrd-read.ts';
import type { Grid } from './spacing.ts';
import type { Volume } from './volume.ts';

/** A volume, and what a NIfTI answer on its grid begins with: what it repeats of a NIfTI input, or a fresh header. */
export interface Image {
  readonly volume: Volume;
  readonly header: NiftiHeader;
}

/**
 * Reads a file of either format, told by its first bytes and never by a name, as float32.
 *
 * @throws ServiceError `invalid_volume` with what is wrong with the file
 */
export async function readImage(file: Uint8Array, options: { readonly maxVoxels?: number } = {}): Promise<Image> {
  const { maxVoxels = INPUT_GRID_MAX_VOXELS } = options;
  return isNrrd(file) ? await readNrrd(file, maxVoxels) : await readNifti(file, { maxVoxels });
}

/**
 * Where the voxels of a file of either format lie, by its header alone, so that what a volume costs is known before it
 * is decoded.
 *
 * @throws ServiceError `invalid_volume` with what is wrong with the header
 */
export async function readGrid(file: Uint8Array, maxVoxels: number): Promise<Grid> {
  return isNrrd(file) ? readNrrdGrid(file, maxVoxels) : await readNiftiGrid(file, maxVoxels);
}
