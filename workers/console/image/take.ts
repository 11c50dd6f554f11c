import { convertSeries } from '../dicom/convert.ts';
import { makeAnonymous } from './anonymous.ts';
import { gunzip, gzip, isGzip } from './gzip.ts';
import type { Image, Series } from './image.ts';

const NIFTI = /\.nii(\.gz)?$/i;

/**
 * The volumes of files that were dropped or chosen: every NIfTI file is one, all others are taken for DICOM. Throws
 * `invalid_volume` where one of them is neither.
 */
export async function takeImages(files: readonly File[]): Promise<Image[]> {
  const volumes = files.filter(({ name }) => NIFTI.test(name));
  const slices = files.filter(({ name }) => !NIFTI.test(name) && !/(^|\/)(\.|DICOMDIR$)/.test(name));
  const converted = slices.length === 0 ? [] : await convertSeries(slices);
  return await Promise.all([
    ...volumes.map((file) => imageOf(file, null)),
    ...converted.map(({ file, uid }) => imageOf(file, { uid, dropped: slices })),
  ]);
}

async function imageOf(file: File, series: Series | null): Promise<Image> {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const bytes = isGzip(start) ? await gunzip(file) : new Uint8Array(await file.arrayBuffer());
  makeAnonymous(bytes);
  return { id: crypto.randomUUID(), name: file.name.replace(NIFTI, ''), file: await gzip(bytes), series };
}
