import { chunksOf, drained } from '../../body-stream.ts';

/** A body of bytes whose beginning can be looked at before the whole is passed on. Holds no more than was looked at. */
export class BodyReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #ahead: Uint8Array = new Uint8Array(0);

  constructor(body: ReadableStream<Uint8Array> | null) {
    this.#source = body === null ? nothing() : chunksOf(body);
  }

  /** The first `length` bytes, fewer where the body ends before. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#ahead.byteLength < length) {
      const step = await this.#source.next();
      if (step.done === true) break;
      const joined = new Uint8Array(this.#ahead.byteLength + step.value.byteLength);
      joined.set(this.#ahead);
      joined.set(step.value, this.#ahead.byteLength);
      this.#ahead = joined;
    }
    return this.#ahead.subarray(0, length);
  }

  /** The whole body from its first byte, once. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#ahead.byteLength > 0) yield this.#ahead;
    this.#ahead = new Uint8Array(0);
    for (let step = await this.#source.next(); step.done !== true; step = await this.#source.next()) yield step.value;
  }

  /** Reads what is left so that the caller can be answered. */
  async drain(): Promise<void> {
    await drained(this.#toEnd());
  }

  async #toEnd(): Promise<void> {
    while ((await this.#source.next()).done !== true);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
