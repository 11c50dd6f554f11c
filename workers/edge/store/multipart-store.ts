/** The bytes of uploads: parts on their way, and the whole they become. */
export interface MultipartStore {
  /** Answers R2's name for the parts to come. */
  start(id: string): Promise<string>;
  /** Puts a part of known length in the place of an earlier one; answers its ETag, null where no part is taken any more. */
  part(place: MultipartPlace, part: number, body: ReadableStream<Uint8Array>): Promise<string | null>;
  /** Makes the parts the whole, or finds it made; false where the parts are not those that R2 has. */
  complete(place: MultipartPlace, parts: readonly PartRecord[]): Promise<boolean>;
  /** Null where there is no whole. */
  open(id: string): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly size: number } | null>;
  /** The SHA-256 (`sha256:…`) of the whole, which is read once as a stream; null where there is none. */
  digest(id: string): Promise<string | null>;
  /** Lets parts go that never became a whole; no part comes after. */
  abort(place: MultipartPlace): Promise<void>;
  /** Takes away parts and whole; no part comes after. */
  remove(place: MultipartPlace): Promise<void>;
}

export interface MultipartPlace {
  readonly id: string;
  readonly multipart: string;
}

export interface PartRecord {
  readonly part: number;
  readonly etag: string;
}
