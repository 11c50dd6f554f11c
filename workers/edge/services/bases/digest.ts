import { createHash } from 'node:crypto';
import type { Architecture } from '../../../../schemas/architecture.ts';
import { baseDigestPieces } from '../../../../schemas/base-digest.ts';
import type { SafetensorsHeader } from '../../../../schemas/safetensors.ts';
import { type BlobStore, DIGEST_PREFIX } from '../../store/blob-store.ts';

const BLOCK_BYTES = 4 * 2 ** 20;
const BLOCKS_KEPT = 4;

/** The base digest of a file in the bucket, of which a few blocks are in memory at a time. */
export async function digestOfBase(
  blobs: BlobStore,
  file: string,
  architecture: Architecture,
  header: SafetensorsHeader,
): Promise<string> {
  const hash = createHash('sha256');
  const block = blockReader(blobs, file, header.fileBytes);
  for (const piece of baseDigestPieces(architecture, header)) {
    if (piece instanceof Uint8Array) hash.update(piece);
    else {
      for (let at = piece.begin; at < piece.end; ) {
        const { begin, bytes } = await block(at);
        const end = Math.min(piece.end, begin + bytes.byteLength);
        hash.update(bytes.subarray(at - begin, end - begin));
        at = end;
      }
    }
  }
  return DIGEST_PREFIX + hash.digest('hex');
}

/** Tensors are hashed in the order of their names but lie in another: near each other, small, and by the hundred. */
function blockReader(blobs: BlobStore, file: string, fileBytes: number) {
  const kept = new Map<number, Uint8Array>();
  return async (position: number): Promise<{ begin: number; bytes: Uint8Array }> => {
    const begin = position - (position % BLOCK_BYTES);
    const length = Math.min(BLOCK_BYTES, fileBytes - begin);
    const bytes = kept.get(begin) ?? (await blobs.read(file, { offset: begin, length }));
    // The newest at the end, so that the one unused for longest is the first.
    kept.delete(begin);
    kept.set(begin, bytes);
    const [oldest] = kept.keys();
    if (kept.size > BLOCKS_KEPT && oldest !== undefined) kept.delete(oldest);
    return { begin, bytes };
  };
}
