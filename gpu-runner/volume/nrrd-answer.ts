import type { Segment } from '../../schemas/slicer-segments.ts';
import { encodeNrrd } from './nrrd-write.ts';
import { segmentKeys } from './segments.ts';
import type { Affine, Vec3 } from './volume.ts';

/** The key under which an answer says what made it. */
const ABOUT = 'PDoRA';

/** The input's grid. */
interface Grid {
  readonly shape: Vec3;
  readonly affine: Affine;
}

/**
 * The label map as an answer: a `.seg.nrrd` on the input's grid, a segment for each structure.
 *
 * @param labels C order `[i, j, k]` on the input's grid
 * @param about what the label values mean and which adapter and base made them, kept as JSON
 */
export async function encodeSegNrrd(
  { shape, affine }: Grid,
  labels: Uint8Array | Uint16Array,
  segments: readonly Segment[],
  about: object,
): Promise<Uint8Array> {
  const type = labels instanceof Uint8Array ? 'uint8' : 'uint16';
  const keyValues = [...segmentKeys(segments, labels, shape), [ABOUT, JSON.stringify(about)] as const];
  return await encodeNrrd({ shape, affine, type, data: labels, keyValues });
}

/**
 * Probabilities as an answer: a float32 `.nrrd` on the input's grid, the classes as a list.
 *
 * @param probabilities C order `[i, j, k, channel]` on the input's grid
 */
export async function encodeNrrdProbabilities(
  { shape, affine }: Grid,
  probabilities: Float32Array,
  channels: number,
  about: object,
): Promise<Uint8Array> {
  const keyValues = [[ABOUT, JSON.stringify(about)] as const];
  return await encodeNrrd({ shape, affine, type: 'float32', data: probabilities, channels, keyValues });
}
