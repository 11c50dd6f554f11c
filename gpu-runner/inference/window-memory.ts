import type { Architecture } from '../../schemas/architecture.ts';
import { type ErrorCode, ServiceError } from '../../schemas/errors.ts';
import { type Vec3, voxelCount } from '../volume/volume.ts';

const BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Attention scores before and after their softmax. */
const SCORES_AT_ONCE = 2;
/** Feature maps of the window's own size. */
const MAPS_AT_ONCE = 4;

/**
 * About the memory, in bytes, that one window takes inside the network. Most of it are the attention scores of the
 * first stage: a head has one for each token, on half the window's grid padded to whole attention windows, and each
 * token of the attention window that it is in. Within a tenth of what was measured: 8.4 GB at feature size 12 and
 * 192^3, 1.4 GB at 24 and 96^3.
 */
export function windowBytes(architecture: Architecture, window: Vec3): number {
  const { feature_size, num_heads, window_size } = architecture;
  const tokens = window.reduce((product, side) => product * Math.ceil(side / 2 / window_size) * window_size, 1);
  const scores = tokens * (num_heads[0] ?? 1) * window_size ** 3;
  return BYTES * (SCORES_AT_ONCE * scores + MAPS_AT_ONCE * voxelCount(window) * feature_size);
}

/** Throws `code` with the problem at `path` where a window takes more memory than there is. */
export function checkWindowMemory(
  { architecture, window }: { readonly architecture: Architecture; readonly window: Vec3 },
  memoryBytes: number,
  { code, path }: { readonly code: ErrorCode & `invalid_${string}`; readonly path: string },
): void {
  const bytes = windowBytes(architecture, window);
  if (bytes <= memoryBytes) return;
  const [needed, there] = [Math.ceil(bytes / 1e6), Math.floor(memoryBytes / 1e6)];
  const message = `A window of ${window.join(' x ')} voxels takes about ${needed} MB in the network; this runner has ${there} MB.`;
  throw new ServiceError(code, message, { problems: [{ code: 'manifest', path, message }] });
}
