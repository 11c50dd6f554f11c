/** Bodies that live for a while under a key of their own: `inputs/<job>` and `results/<job>/<attempt>`. */
export interface ObjectStore {
  /** Puts a body of known length. Rejects where `sha256` (`sha256:…`) is given and is not the body's. */
  put(key: string, body: ReadableStream<Uint8Array>, sha256?: string): Promise<void>;
  /** Null where there is none such. */
  open(key: string): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly size: number } | null>;
  remove(keys: readonly string[]): Promise<void>;
  /** Keys under a prefix that were put before a time (milliseconds since 1970), some at a time. */
  before(prefix: string, time: number, cursor?: string): Promise<{ keys: string[]; cursor: string | undefined }>;
}
