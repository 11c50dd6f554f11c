import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newHeader } from '../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti, gzipNifti } from '../../gpu-runner/volume/nifti-write.ts';
import { writeAtomically } from '../output.ts';
import type { Phantom } from './phantom.ts';

export const IMAGE_FILE = 'image.nii.gz';
export const TISSUE_FILE = 'tissue.nii.gz';
export const METASTASIS_FILE = 'metastasis.nii.gz';
export const DEEP_FILE = 'deep-structures.nii.gz';

/** Writes a phantom's image (int16) and its three label maps (uint8) into `folder`, which is made where it is missing. */
export async function writePhantom(folder: string, phantom: Phantom): Promise<void> {
  await mkdir(folder, { recursive: true });
  const header = newHeader(phantom.shape, phantom.affine);
  const files = [
    { name: IMAGE_FILE, datatype: 'int16', data: phantom.image },
    { name: TISSUE_FILE, datatype: 'uint8', data: phantom.tissue },
    { name: METASTASIS_FILE, datatype: 'uint8', data: phantom.metastasis },
    { name: DEEP_FILE, datatype: 'uint8', data: phantom.deep },
  ] as const;
  for (const { name, datatype, data } of files) {
    await writeAtomically(join(folder, name), await gzipNifti(encodeNifti({ header, datatype, data })));
  }
}
