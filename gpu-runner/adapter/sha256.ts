import { createHash } from 'node:crypto';
import { setImmediate as yieldToOthers } from 'node:timers/promises';

/** Hashed at once: a few milliseconds, after which the event loop gets its turn. */
const SLICE_BYTES = 8 * 2 ** 20;

/** SHA-256 of all pieces in a row as bare hex, giving way to other work in between. */
export async function sha256Hex(pieces: Iterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  let sinceYield = 0;
  for (const piece of pieces) {
    for (let begin = 0; begin < piece.byteLength; begin += SLICE_BYTES) {
      const slice = piece.subarray(begin, begin + SLICE_BYTES);
      hash.update(slice);
      sinceYield += slice.byteLength;
      if (sinceYield < SLICE_BYTES) continue;
      sinceYield = 0;
      await yieldToOthers();
    }
  }
  return hash.digest('hex');
}
