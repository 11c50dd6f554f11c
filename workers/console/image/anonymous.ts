import { Problem } from '../api/problem.ts';

interface Form {
  readonly headerBytes: number;
  readonly voxOffset: (view: DataView, little: boolean) => number;
  /** Free text, from and to: what a scanner or a converter may have written a name into. */
  readonly texts: readonly (readonly [number, number])[];
}

/** nifti1.h: data_type and db_name, descrip and aux_file, intent_name. */
const NIFTI1: Form = {
  headerBytes: 348,
  voxOffset: (view, little) => view.getFloat32(108, little),
  texts: [
    [4, 32],
    [148, 252],
    [328, 344],
  ],
};

/** nifti2.h: descrip and aux_file, intent_name. */
const NIFTI2: Form = {
  headerBytes: 540,
  voxOffset: (view, little) => Number(view.getBigInt64(168, little)),
  texts: [
    [240, 344],
    [508, 524],
  ],
};

/**
 * Clears, in place, all of a single-file NIfTI that is neither geometry nor voxels: free text, the bytes between header and
 * voxels (extensions), and whatever follows. Throws `invalid_volume` where it is no such file.
 */
export function makeAnonymous(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [form, little] = formOf(view);
  const offset = form.voxOffset(view, little);
  if (!(offset >= form.headerBytes && offset <= bytes.byteLength)) {
    throw new Problem('invalid_volume', 'The NIfTI header says that the voxels lie outside the file.');
  }
  for (const [from, to] of form.texts) bytes.fill(0, from, to);
  bytes.fill(0, form.headerBytes, offset);
}

function formOf(view: DataView): [Form, boolean] {
  for (const form of [NIFTI1, NIFTI2]) {
    if (view.byteLength < form.headerBytes) continue;
    for (const little of [true, false]) if (view.getInt32(0, little) === form.headerBytes) return [form, little];
  }
  throw new Problem('invalid_volume', 'This is no NIfTI file (.nii or .nii.gz).');
}
