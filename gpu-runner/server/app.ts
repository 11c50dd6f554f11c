import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { type ErrorCode, problemDetails, ServiceError } from '../../schemas/errors.ts';
import { parseTraceparent } from '../../schemas/trace.ts';
import { bearer } from './auth.ts';
import { notReady } from './readiness.ts';
import { segmentRoute } from './segment-route.ts';
import type { RunnerEnv, Services } from './services.ts';
import { verifyRoute } from './verify-route.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** The runner's HTTP door. */
export function createApp(services: Services): Hono<RunnerEnv> {
  const { runs, metrics, log, tracing } = services;
  const app = new Hono<RunnerEnv>();

  app.use(async function identify(c, next) {
    const given = c.req.header('x-request-id') ?? '';
    c.set('requestId', REQUEST_ID.test(given) ? given : randomUUID());
    await next();
    c.header('x-request-id', c.var.requestId);
  });
  app.onError((error, c) => {
    const { status, headers, body } = problemDetails(error, c.var.requestId);
    const trace = parseTraceparent(c.req.header('traceparent'))?.traceId;
    const call = { request: c.var.requestId, trace, path: c.req.routePath };
    if (error instanceof ServiceError) log.info({ event: 'refused', ...call, code: error.code });
    else log.error({ event: 'failed', ...call, err: error });
    return new Response(JSON.stringify(body), { status, headers });
  });
  app.notFound(() => {
    throw new ServiceError('not_found', 'There is nothing here.');
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    const reason = notReady(services);
    if (reason !== null) throw reason;
    return c.json({ status: 'ready', queue: runs.length });
  });
  app.get('/metrics', async (c) => c.text(await metrics.text(), 200, { 'content-type': metrics.contentType }));

  app.use(bearer(services.token));
  app.use(async function count(c, next) {
    await next();
    metrics.countRequest(c.req.routePath, outcomeOf(c.error));
  });
  app.on('POST', ['/segment', '/verify'], async function span(c, next) {
    c.set('span', tracing.begin(c.req.path.slice(1), parseTraceparent(c.req.header('traceparent'))));
    await next();
    c.var.span.end(outcomeOf(c.error));
  });
  app.post('/segment', async (c) => await segmentRoute(c, services));
  app.post('/verify', async (c) => await verifyRoute(c, services));
  app.get('/runs/:run', (c) => {
    const state = runs.state(c.req.param('run'));
    if (state === undefined) throw unknownRun();
    return c.json(state);
  });
  app.delete('/runs/:run', (c) => {
    const id = c.req.param('run');
    if (runs.cancel(id)) return c.json({ run: id, status: 'cancelled' }, 202);
    if (runs.state(id) === undefined) throw unknownRun();
    return c.body(null, 204);
  });
  return app;
}

function outcomeOf(error: Error | undefined): 'ok' | ErrorCode {
  if (error === undefined) return 'ok';
  return error instanceof ServiceError ? error.code : 'internal';
}

function unknownRun(): ServiceError {
  return new ServiceError('not_found', 'There is no such run here.');
}
