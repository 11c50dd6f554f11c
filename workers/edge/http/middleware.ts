import { cors } from 'hono/cors';
import { createMiddleware } from 'hono/factory';
import { ServiceError } from '../../../schemas/errors.ts';
import { portsOf } from '../ports.ts';
import type { EdgeEnv } from './context.ts';
import { contentLength } from './headers.ts';

export const JSON_BODY_MAX_BYTES = 64 * 1024;

const EXPOSED_HEADERS = [
  'x-request-id',
  'x-adapter-id',
  'x-adapter-version',
  'x-adapter-digest',
  'x-base-digest',
  'x-adapter-cache',
  'server-timing',
  'retry-after',
  'location',
  'etag',
  'accept-ranges',
  'content-range',
  'repr-digest',
];

/** Names the request, on its reply too, and wires its ports. */
export const prepare = createMiddleware<EdgeEnv>(async (c, next) => {
  const requestId = crypto.randomUUID();
  c.set('requestId', requestId);
  c.header('x-request-id', requestId);
  c.set('ports', portsOf(c.env, c.executionCtx, requestId));
  await next();
});

/** Browsers of the operator's list of origins. */
export const allowOrigins = createMiddleware<EdgeEnv>((c, next) => {
  const origins = c.get('ports').settings.corsOrigins;
  return cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
    allowHeaders: ['authorization', 'content-type', 'repr-digest', 'range', 'if-none-match', 'if-range', 'prefer'],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  })(c, next);
});

/**
 * A key that were silently ignored would promise that a second try does no harm. Calls that honour it (method and
 * path as they come: `POST /v1/tenants`) are let pass.
 */
export function refuseIdempotencyKey(honoured: readonly string[]) {
  return createMiddleware<EdgeEnv>(async (c, next) => {
    const call = `${c.req.method} ${c.req.path}`;
    if (c.req.header('idempotency-key') !== undefined && !honoured.includes(call)) {
      throw new ServiceError('invalid_request', 'Idempotency-Key: not supported on this call.');
    }
    await next();
  });
}

/** A JSON body is read whole, so it has to be small, and say so. */
export const smallJson = createMiddleware<EdgeEnv>(async (c, next) => {
  contentLength(c.req, JSON_BODY_MAX_BYTES);
  await next();
});
