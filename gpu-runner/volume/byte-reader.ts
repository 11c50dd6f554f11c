import { setImmediate } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { invalidVolume } from './invalid.ts';

const CHUNK_BYTES = 2 ** 20;

/** Reads a file's content forward, unpacked where it is gzipped, one chunk in memory at a time. */
export class ByteReader {
  readonly #chunks: AsyncGenerator<Uint8Array, void>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(file: Uint8Array, gzipped = isGzip(file)) {
    this.#chunks = gzipped ? unpack(file) : slices(file);
  }

  /**
   * Fills `target` from the content.
   *
   * @returns how many bytes were there; fewer than asked for only at the content's end
   * @throws ServiceError `invalid_volume` where the gzip stream is cut short or damaged
   */
  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return filled;
  }

  /** Reads on without keeping anything; returns how many of `bytes` were there. */
  async skip(bytes: number): Promise<number> {
    const scrap = new Uint8Array(Math.min(bytes, CHUNK_BYTES));
    let skipped = 0;
    while (skipped < bytes) {
      const got = await this.fill(scrap.subarray(0, bytes - skipped));
      skipped += got;
      if (got === 0) break;
    }
    return skipped;
  }

  /** Ends unpacking, wherever it is. */
  async close(): Promise<void> {
    await this.#chunks.return();
  }
}

/** Whether a file begins as gzip files do (RFC 1952). */
export function isGzip(file: Uint8Array): boolean {
  return file[0] === 0x1f && file[1] === 0x8b;
}

/** Unpacks gzip, several members too, and verifies every checksum. Zeros after the last member are padding; anything else is damage. */
async function* unpack(file: Uint8Array): AsyncGenerator<Uint8Array, void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  gunzip.end(file);
  try {
    for await (const chunk of gunzip) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw invalidVolume(gzipProblem(error));
  }
}

function gzipProblem(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR') return 'The gzip stream is cut short.';
  if (error instanceof Error && error.message === 'incorrect data check')
    return 'The checksum of the gzip stream is wrong.';
  return 'The gzip stream is damaged.';
}

/** A plain file in pieces, with a turn of the event loop between them. */
async function* slices(file: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let begin = 0; begin < file.length; begin += CHUNK_BYTES) {
    yield file.subarray(begin, begin + CHUNK_BYTES);
    await setImmediate();
  }
}
