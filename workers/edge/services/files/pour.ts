import { createHash, type Hash } from 'node:crypto';
import { ServiceError } from '../../../../schemas/errors.ts';
import { fail, ok, type Result } from '../../../../schemas/result.ts';
import { DIGEST_PREFIX } from '../../store/blob-store.ts';

type Chunks = AsyncIterable<Uint8Array>;
type Store<T> = (body: ReadableStream<Uint8Array>) => Promise<T>;

/** The digest of a body of `size` bytes. Throws `invalid_request` where it is shorter or longer. */
export async function digestOf(chunks: Chunks, size: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of exactly(chunks, size)) hash.update(chunk);
  return DIGEST_PREFIX + hash.digest('hex');
}

/** What became of a body: its digest, and why it could not be stored, or null where it was. */
export interface Poured {
  readonly digest: string;
  readonly failure: Error | null;
}

/** As `pass`, and tells the digest of the whole body, stored or not. */
export async function pour(chunks: Chunks, size: number, store: Store<void>): Promise<Poured> {
  const hash = createHash('sha256');
  const stored = await pass(hashed(chunks, hash), size, store);
  return { digest: DIGEST_PREFIX + hash.digest('hex'), failure: stored.ok ? null : stored.error };
}

/**
 * Sends a body of `size` bytes into `store`, chunk by chunk at the speed of the slower side, and answers what `store`
 * does. Throws `invalid_request` where the body is shorter or longer; then nothing is stored.
 */
export async function pass<T>(chunks: Chunks, size: number, store: Store<T>): Promise<Result<T, Error>> {
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  const stored = store(readable).then(
    (value) => ok(value),
    (error: unknown) => fail(error instanceof Error ? error : new Error(String(error))),
  );
  // Also a store that failed without a look at the body must not be waited for.
  void stored.then(() => writer.abort()).catch(() => {});
  // A store that refuses, or has its object already, stops reading; the body is still read to its end.
  let listening = true;
  try {
    for await (const chunk of exactly(chunks, size)) {
      if (listening) await writer.write(chunk).catch(() => (listening = false));
    }
    if (listening) await writer.close().catch(() => {});
    return await stored;
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await stored;
    throw error;
  }
}

async function* hashed(chunks: Chunks, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function* exactly(chunks: Chunks, size: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > size) {
      throw new ServiceError('invalid_request', `The body is longer than its Content-Length of ${size}.`);
    }
    yield chunk;
  }
  if (bytes < size) {
    throw new ServiceError('invalid_request', `The body ended after ${bytes} bytes; its Content-Length is ${size}.`);
  }
}
