import type { Format } from '../../../../schemas/answer-formats.ts';

export type ResultExtension = '.nii.gz' | '.nrrd' | '.seg.nrrd';

/**
 * How the file of a result ends: as the client asks, where that is known here, else in the format of the image it sent.
 * A client tells by it how to read the file; `.nrrd` and `.seg.nrrd` hold the same.
 *
 * @param asked `result_extension`, null where the client asks for none
 * @param ofImage the extension of the image
 */
export function resultExtension(asked: string | null, ofImage: string): ResultExtension {
  const wanted = (asked ?? ofImage).toLowerCase();
  if (wanted === '.nrrd' || (asked !== null && wanted === '.seg.nrrd')) return wanted;
  return wanted === '.seg.nrrd' ? '.nrrd' : '.nii.gz';
}

export function formatOf(extension: ResultExtension): Format {
  return extension === '.nii.gz' ? 'nifti' : 'nrrd';
}
