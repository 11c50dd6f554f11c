import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '../../schemas/errors.ts';
import { CHANNELS_MAX, UPLOAD_MAX_BYTES } from '../../schemas/limits.ts';

export const PART_HEADER_MAX_BYTES = 8 * 1024;

/** What a body says of itself before any of it is read. */
export interface BodySize {
  readonly multipart: boolean;
  /** Bytes on the wire. */
  readonly length: number;
  /** Bytes of memory that it takes at most, from its first byte until it is decoded. */
  readonly heldBytes: number;
}

/**
 * The size of a body that may take `memoryBytes`. Throws `length_required`, and `too_large` by `Content-Length` alone:
 * for any runner, or for this one.
 */
export function bodySize(headers: IncomingHttpHeaders, memoryBytes: number): BodySize {
  const text = headers['content-length'];
  if (text === undefined) throw new ServiceError('length_required', 'The body needs a Content-Length.');
  const multipart = /^multipart\/form-data\b/i.test(headers['content-type'] ?? '');
  const length = Number(text);
  const most = UPLOAD_MAX_BYTES + (multipart ? CHANNELS_MAX * PART_HEADER_MAX_BYTES : 0);
  if (!(length <= most)) throw new ServiceError('too_large', `The body has more than ${most} bytes.`);
  // A part's length is known at its end: it lies in pieces until then, and for a moment beside the whole.
  const heldBytes = multipart ? 2 * length : length;
  if (heldBytes > memoryBytes) {
    const message = `A body of ${length} bytes takes ${megabytes(heldBytes)} MB; this runner has ${megabytes(memoryBytes)} MB.`;
    throw new ServiceError('too_large', message);
  }
  return { multipart, length, heldBytes };
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
