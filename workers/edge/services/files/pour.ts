import { createHash } from 'node:crypto';
import { ServiceError } from '../../../../schemas/errors.ts';
import { DIGEST_PREFIX } from '../../store/blob-store.ts';

type Chunks = AsyncIterable<Uint8Array>;

/** The digest of a body of `size` bytes. Throws `invalid_request` where it is shorter or longer. */
export function digestOf(chunks: Chunks, size: number): Promise<string> {
  return hashing(chunks, size, async () => {});
}

/** What became of a body: its digest, and why it could not be stored, or null where it was. */
export interface Poured {
  readonly digest: string;
  readonly failure: Error | null;
}

/**
 * Sends a body of `size` bytes into `store`, chunk by chunk at the speed of the slower side. Throws `invalid_request`
 * where the body is shorter or longer; then nothing is stored.
 */
export async function pour(
  chunks: Chunks,
  size: number,
  store: (body: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<Poured> {
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  const stored = store(readable).then(
    () => null,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  // A store that refuses, or has its object already, stops reading; the digest is still that of the whole body.
  let listening = true;
  try {
    const digest = await hashing(chunks, size, async (chunk) => {
      if (listening) await writer.write(chunk).catch(() => (listening = false));
    });
    if (listening) await writer.close().catch(() => {});
    return { digest, failure: await stored };
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await stored;
    throw error;
  }
}

async function hashing(chunks: Chunks, size: number, each: (chunk: Uint8Array) => Promise<unknown>): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > size)
      throw new ServiceError('invalid_request', `The body is longer than its Content-Length of ${size}.`);
    hash.update(chunk);
    await each(chunk);
  }
  if (bytes < size) {
    throw new ServiceError('invalid_request', `The body ended after ${bytes} bytes; its Content-Length is ${size}.`);
  }
  return DIGEST_PREFIX + hash.digest('hex');
}
