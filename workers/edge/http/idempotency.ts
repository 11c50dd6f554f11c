import type { HonoRequest } from 'hono';
import { createMiddleware } from 'hono/factory';
import { z } from 'zod';
import { ServiceError } from '../../../schemas/errors.ts';
import type { EdgeEnv } from './context.ts';

const HEADER = 'idempotency-key';
/** The calls that take one, each of which reads it itself. */
const SUPPORTED: ReadonlySet<string> = new Set(['POST /v1/tenants', 'POST /v1/uploads', 'POST /v1/segmentations']);

/** For the document of a call that takes one. */
export const idempotencyHeader = z.object({ [HEADER]: z.string().optional() });

/** A key that were silently ignored would promise that a second try does no harm. */
export const refuseIdempotencyKey = createMiddleware<EdgeEnv>(async (c, next) => {
  if (!SUPPORTED.has(`${c.req.method} ${c.req.path}`)) refuseKey(c.req);
  await next();
});

/** Throws `invalid_request` where there is a key. */
export function refuseKey(req: HonoRequest): void {
  if (req.header(HEADER) !== undefined) {
    throw new ServiceError('invalid_request', 'Idempotency-Key: not supported on this call.');
  }
}

/** The key of a call that takes one, undefined without. Throws `invalid_request` for what is none. */
export function idempotencyKey(req: HonoRequest): string | undefined {
  const key = req.header(HEADER);
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new ServiceError('invalid_request', 'Idempotency-Key: expected 1 to 255 visible ASCII characters.');
}
