import type { Architecture } from './architecture.ts';
import type { SafetensorsHeader, TensorInfo } from './safetensors.ts';

/** Keys sorted, no spaces, integers without a point: the form of the architecture that the base digest covers. */
export function canonicalJson(architecture: Architecture): string {
  return JSON.stringify(Object.fromEntries(Object.entries(architecture).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/**
 * What to hash for the base digest, in order: bytes as they are, and for a `TensorInfo` the file's bytes from its
 * `begin` to its `end`. Hashing and reading are the caller's, which may be Node or a Worker.
 */
export function* baseDigestPieces(
  architecture: Architecture,
  header: SafetensorsHeader,
): Generator<Uint8Array | TensorInfo> {
  const encoder = new TextEncoder();
  yield encoder.encode(canonicalJson(architecture));
  const tensors = [...header.tensors.values()].map((tensor) => ({ tensor, name: encoder.encode(tensor.name) }));
  for (const { tensor } of tensors.toSorted((a, b) => compareBytes(a.name, b.name))) {
    yield encoder.encode(`\0${tensor.name}\0${tensor.dtype}\0${tensor.shape.join(',')}\0`);
    yield tensor;
  }
}

/** Bytewise, as UTF-8; JavaScript's own order of strings is by UTF-16 units. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
