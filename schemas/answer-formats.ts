import type { OUTPUTS } from './api.ts';

/** The file formats of an answer, by the names of the query. */
export const FORMATS = ['nifti', 'nrrd'] as const;
export type Format = (typeof FORMATS)[number];

/** None of the two has a registered type: a NIfTI answer is named by its gzip, which must not be unpacked on its way. */
export const CONTENT_TYPE: Readonly<Record<Format, string>> = {
  nifti: 'application/gzip',
  nrrd: 'application/x-nrrd',
};

/** What a file of this content is called. It says nothing of the input, whose name can be a patient's. */
export function answerName(format: Format, output: (typeof OUTPUTS)[number]): string {
  if (format === 'nifti') return `${output}.nii.gz`;
  return output === 'labels' ? 'labels.seg.nrrd' : 'probabilities.nrrd';
}
