import type { Architecture } from '../../schemas/architecture.ts';
import { type ErrorCode, ServiceError } from '../../schemas/errors.ts';
import { SCORES_BYTES } from '../network/attention-windows.ts';
import { type Vec3, voxelCount } from '../volume/volume.ts';

const BYTES = Float32Array.BYTES_PER_ELEMENT;
/**
 * Feature maps of the window's own size, as many as there are when the last decoder joins what the first encoder made;
 * more where they may lie in blocks of channels, as they do where two voxels' channels fill blocks of 16.
 */
const MAPS_AT_ONCE = { plain: 8.5, blocked: 10.8 };
const BLOCKED_MULTIPLE = 8;
/** Attention scores of the windows that are taken together: made, with their bias, and after their softmax. */
const SCORES_AT_ONCE = 3;

/**
 * About the memory, in bytes, that one window takes inside the network. Within a tenth of what a process was seen to
 * grow by at its first window: 1.00 GB at feature size 24 and 96^3, 1.76 GB at 48 and 96^3, 2.76 GB at 12 and 192^3.
 */
export function windowBytes(architecture: Architecture, window: Vec3): number {
  const { feature_size, num_heads, window_size } = architecture;
  const scores = Math.max(SCORES_BYTES, BYTES * Math.max(...num_heads) * window_size ** 6);
  const maps = feature_size % BLOCKED_MULTIPLE === 0 ? MAPS_AT_ONCE.blocked : MAPS_AT_ONCE.plain;
  return SCORES_AT_ONCE * scores + BYTES * maps * voxelCount(window) * feature_size;
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
