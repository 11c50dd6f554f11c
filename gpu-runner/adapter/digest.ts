import { ServiceError } from '../../schemas/errors.ts';
import { DIGEST_PATTERN } from '../../schemas/names.ts';

/** The hex digits of `sha256:<hex>`. Throws `invalid_request`: what is no digest never becomes a path or an address. */
export function bareHex(digest: string): string {
  if (!DIGEST_PATTERN.test(digest)) throw new ServiceError('invalid_request', 'A digest is sha256: and 64 hex digits.');
  return digest.slice('sha256:'.length);
}
