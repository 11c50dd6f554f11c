import type { NiftiHeader } from './nifti-header.ts';
import { encodeNifti, gzipNifti } from './nifti-write.ts';

/** NIFTI_INTENT_LABEL: voxels are indices into a list of names. */
const INTENT_LABEL = 1002;

/**
 * The label map as an answer: gzipped NIfTI on the input's grid.
 *
 * @param header of the input
 * @param labels C order `[i, j, k]` on the input's grid
 * @param extension what the label values mean and which adapter and base made them, kept as JSON
 */
export async function encodeLabelMap(
  header: NiftiHeader,
  labels: Uint8Array | Uint16Array,
  extension: object,
): Promise<Uint8Array> {
  const datatype = labels instanceof Uint8Array ? 'uint8' : 'uint16';
  return await gzipNifti(
    encodeNifti({ header, datatype, data: labels, intent: INTENT_LABEL, extension: JSON.stringify(extension) }),
    'labels',
  );
}

/**
 * Probabilities as an answer: gzipped 4-D float32 NIfTI on the input's grid.
 *
 * @param probabilities C order `[i, j, k, channel]` on the input's grid
 */
export async function encodeProbabilities(
  header: NiftiHeader,
  probabilities: Float32Array,
  channels: number,
  extension: object,
): Promise<Uint8Array> {
  return await gzipNifti(
    encodeNifti({ header, datatype: 'float32', data: probabilities, channels, extension: JSON.stringify(extension) }),
    'digits',
  );
}
