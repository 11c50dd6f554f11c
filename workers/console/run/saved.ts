import { Problem } from '../api/problem.ts';
import { segNrrd } from '../nrrd/seg-nrrd.ts';
import type { Run } from './run.ts';

/** What a result can be saved as: as the service answered it, for 3D Slicer, or beside the DICOM images. */
export type Saved = 'nifti' | 'seg-nrrd' | 'dicom-seg';

/** The file of a result in a format, and its name's end. Throws a `Problem` where it cannot be made. */
export async function fileOf(run: Run, what: Saved): Promise<{ file: Blob; name: string }> {
  const { file, rows, series } = run;
  if (file === null) throw new Problem('console', 'There is no label map yet.');
  if (what === 'nifti') return { file, name: 'labels.nii.gz' };
  if (what === 'seg-nrrd') return { file: await segNrrd(file, rows), name: 'labels.seg.nrrd' };
  if (series === null) throw new Problem('console', 'The image did not come from DICOM.');
  // Large, and of use to those alone who have dropped DICOM.
  const { dicomFile } = await import('./dicom-file.ts');
  return { file: await dicomFile(file, rows, series), name: 'labels.dcm' };
}
