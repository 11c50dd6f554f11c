import { cors } from 'hono/cors';
import { createMiddleware } from 'hono/factory';
import { portsOf } from '../ports.ts';
import { traceOf } from '../trace.ts';
import type { EdgeEnv } from './context.ts';
import { contentLength } from './headers.ts';
import { JSON_BODY_MAX_BYTES } from './json.ts';

const EXPOSED_HEADERS = [
  'x-request-id',
  'x-adapter-id',
  'x-adapter-version',
  'x-adapter-digest',
  'x-base-digest',
  'x-adapter-cache',
  'server-timing',
  'x-report',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
  'location',
  'preference-applied',
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
  c.set('ports', portsOf(c.env, c.executionCtx, requestId, traceOf(c.req.header('traceparent'))));
  await next();
});

/** Browsers of the operator's list of origins. */
export const allowOrigins = createMiddleware<EdgeEnv>((c, next) => {
  const origins = c.get('ports').settings.corsOrigins;
  return cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
    allowHeaders: [
      'authorization',
      'content-type',
      'repr-digest',
      'range',
      'if-none-match',
      'if-range',
      'prefer',
      'idempotency-key',
      'traceparent',
    ],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  })(c, next);
});

/** A JSON body is read whole, so it has to be small, and say so. */
export const smallJson = createMiddleware<EdgeEnv>(async (c, next) => {
  contentLength(c.req, JSON_BODY_MAX_BYTES);
  await next();
});
