/** The bytes: files under their SHA-256, and staging places for those whose digest is not known yet. */
export interface BlobStore {
  has(digest: string): Promise<boolean>;
  /** Null where there is none such. */
  open(
    digest: string,
    range?: ByteRange,
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly size: number } | null>;
  /** The bytes of a range, which must lie in the file. */
  read(digest: string, range: ByteRange): Promise<Uint8Array>;
  /** Creates the file; one that is there already stays and is a success. Rejects where the digest is not the body's. */
  put(digest: string, body: ReadableStream<Uint8Array>): Promise<void>;
  remove(digest: string): Promise<void>;
  stage(id: string, body: ReadableStream<Uint8Array>): Promise<void>;
  /** Copies what is staged to its digest. */
  promote(id: string, digest: string): Promise<void>;
  unstage(id: string): Promise<void>;
  /** Takes away what was staged before a time (milliseconds since 1970) and left behind. */
  sweepStaging(before: number): Promise<void>;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export const DIGEST_PREFIX = 'sha256:';

/** The 64 hex digits of a digest, as they stand in keys and paths. */
export function hexOf(digest: string): string {
  return digest.slice(DIGEST_PREFIX.length);
}
