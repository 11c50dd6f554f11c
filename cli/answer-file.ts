import type { Format } from '../schemas/answer-formats.ts';
import { usage } from './failure.ts';

/** The format that a file's name asks for. */
export function formatOf(path: string): Format {
  if (path.endsWith('.nii.gz')) return 'nifti';
  if (path.endsWith('.nrrd')) return 'nrrd';
  throw usage(`an output is written as .nii.gz, .nrrd or .seg.nrrd: ${path}`);
}
