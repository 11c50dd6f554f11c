import { Buffer } from 'node:buffer';
import type { HonoRequest } from 'hono';
import { ServiceError } from '../../../schemas/errors.ts';
import { DIRECT_BODY_MAX_BYTES } from '../../../schemas/limits.ts';
import { DIGEST_PREFIX, hexOf } from '../store/blob-store.ts';

/** The body's promised length in bytes. Throws `length_required`, and `too_large` by the promise alone. */
export function contentLength(req: HonoRequest, maxBytes = DIRECT_BODY_MAX_BYTES): number {
  const text = req.header('content-length');
  if (text === undefined || !/^[0-9]+$/.test(text)) {
    throw new ServiceError('length_required', 'Content-Length: expected the length of the body in bytes.');
  }
  const length = Number(text);
  if (length > maxBytes) {
    throw new ServiceError('too_large', `Content-Length: expected at most ${maxBytes} bytes, found ${text}.`);
  }
  return length;
}

/** The digest that `Repr-Digest` (RFC 9530) promises, null where it names no SHA-256. Throws `invalid_request`. */
export function reprDigest(req: HonoRequest): string | null {
  const members = (req.header('repr-digest') ?? '').split(',').map((member) => member.trim());
  const member = members.find((candidate) => /^sha-256=/i.test(candidate));
  if (member === undefined) return null;
  const base64 = /^sha-256=:([A-Za-z0-9+/]{43}=):$/i.exec(member)?.[1];
  if (base64 === undefined) {
    throw new ServiceError('invalid_request', 'Repr-Digest: expected sha-256=:…: with 32 bytes in base64.');
  }
  return DIGEST_PREFIX + Buffer.from(base64, 'base64').toString('hex');
}

/** As `reprDigest` reads it. */
export function reprDigestOf(digest: string): string {
  return `sha-256=:${Buffer.from(hexOf(digest), 'hex').toString('base64')}:`;
}
