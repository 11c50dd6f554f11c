import { Buffer } from 'node:buffer';

/** What may come after a form's file. */
const TAIL_MAX_BYTES = 64 * 1024;

/** Where the file ends in a form that passes by from the file's first byte on. */
export class FileEnd {
  readonly #delimiter: Buffer;
  /** The end of what has passed, which may be the beginning of a delimiter; then what comes after it. */
  #kept: Buffer = Buffer.alloc(0);
  #passed = 0;
  #size: number | null = null;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  async *watch(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#look(chunk);
      yield chunk;
    }
  }

  /** Bytes of the file; null where the form has no end, or another file after this one. */
  size(): number | null {
    const rest = this.#kept.toString('latin1');
    const wellEnded = rest.includes(`${this.#delimiter.toString('latin1')}--`) && !/;\s*filename\*?=/i.test(rest);
    return wellEnded && rest.length < TAIL_MAX_BYTES ? this.#size : null;
  }

  #look(chunk: Uint8Array): void {
    const seen = Buffer.concat([this.#kept, chunk]);
    this.#passed += chunk.byteLength;
    if (this.#size !== null) {
      this.#kept = seen.subarray(0, TAIL_MAX_BYTES);
      return;
    }
    const found = seen.indexOf(this.#delimiter);
    if (found < 0) {
      this.#kept = Buffer.from(seen.subarray(Math.max(0, seen.byteLength - this.#delimiter.byteLength + 1)));
      return;
    }
    this.#size = this.#passed - seen.byteLength + found;
    this.#kept = Buffer.from(seen.subarray(found, found + TAIL_MAX_BYTES));
  }
}
