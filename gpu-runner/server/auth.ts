import { createHash, timingSafeEqual } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { ServiceError } from '../../schemas/errors.ts';

/** Lets in who shows the runner's token. Digests are compared, which have one length, in constant time. */
export function bearer(token: string) {
  const expected = sha256(token);
  return createMiddleware(async function bearerToken(c, next) {
    const [scheme = '', given = ''] = (c.req.header('authorization') ?? '').split(' ', 2);
    const right = timingSafeEqual(sha256(given), expected);
    if (!right || scheme.toLowerCase() !== 'bearer') {
      throw new ServiceError('unauthorized', "The runner's token is needed.");
    }
    await next();
  });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
