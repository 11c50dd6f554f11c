/** Bodies that live for a while under a key of their own: `inputs/<job>`, `results/<job>/<attempt>`, `images/<id>`. */
export interface ObjectStore {
  /** Puts a body of known length. Rejects where `sha256` (`sha256:…`) is given and is not the body's. */
  put(key: string, body: ReadableStream<Uint8Array>, sha256?: string): Promise<void>;
  /** The first `length` bytes, or all; null where there is none such. `size` is the object's. */
  open(
    key: string,
    length?: number,
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly size: number } | null>;
  remove(keys: readonly string[]): Promise<void>;
  /** Keys under a prefix that were put before a time (milliseconds since 1970), some at a time. */
  before(prefix: string, time: number, cursor?: string): Promise<{ keys: string[]; cursor: string | undefined }>;
}
