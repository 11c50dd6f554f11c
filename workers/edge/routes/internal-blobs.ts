import { Hono } from 'hono';
import { ServiceError } from '../../../schemas/errors.ts';
import type { EdgeEnv } from '../http/context.ts';
import { openGranted } from '../services/files/open-granted.ts';
import { DIGEST_PREFIX } from '../store/blob-store.ts';

/** For runners, and so not in the public document. */
export const internalBlobRoutes = new Hono<EdgeEnv>().get('/internal/blobs/:hex', async (c) => {
  const hex = c.req.param('hex');
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new ServiceError('invalid_request', 'expected 64 hex digits.');
  const token = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
  const shown = { token, grant: c.req.header('x-grant') ?? '' };
  const { body, size } = await openGranted(c.get('ports'), DIGEST_PREFIX + hex, shown);
  return new Response(body, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'cache-control': 'no-store',
    },
  });
});
