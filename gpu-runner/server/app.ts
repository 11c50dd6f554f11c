import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { problemDetails, ServiceError } from '../../schemas/errors.ts';
import { bearer } from './auth.ts';
import { segmentRoute } from './segment-route.ts';
import type { RunnerEnv, Services } from './services.ts';
import { verifyRoute } from './verify-route.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** The runner's HTTP door. */
export function createApp(services: Services): Hono<RunnerEnv> {
  const { runs, metrics, log } = services;
  const app = new Hono<RunnerEnv>();

  app.use(async function identify(c, next) {
    const given = c.req.header('x-request-id') ?? '';
    c.set('requestId', REQUEST_ID.test(given) ? given : randomUUID());
    await next();
    c.header('x-request-id', c.var.requestId);
  });
  app.onError((error, c) => {
    const { status, headers, body } = problemDetails(error, c.var.requestId);
    if (error instanceof ServiceError) {
      log.info({ event: 'refused', request: c.var.requestId, path: c.req.routePath, code: error.code });
    } else {
      log.error({ event: 'failed', request: c.var.requestId, path: c.req.routePath, err: error });
    }
    return new Response(JSON.stringify(body), { status, headers });
  });
  app.notFound(() => {
    throw new ServiceError('not_found', 'There is nothing here.');
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    const extra = { retryAfterSeconds: 2 };
    if (runs.draining) throw new ServiceError('runner_unavailable', 'The runner is stopping.', extra);
    if (!services.loaded() || !services.sessionUp())
      throw new ServiceError('runner_unavailable', 'The session does not answer yet.', extra);
    if (runs.full) throw new ServiceError('runner_busy', "The runner's queue is full.", extra);
    return c.json({ status: 'ready', queue: runs.length });
  });
  app.get('/metrics', async (c) => c.text(await metrics.text(), 200, { 'content-type': metrics.contentType }));

  app.use(bearer(services.token));
  app.use(async function count(c, next) {
    await next();
    const code = c.error instanceof ServiceError ? c.error.code : c.error ? 'internal' : 'ok';
    metrics.countRequest(c.req.routePath, code);
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

function unknownRun(): ServiceError {
  return new ServiceError('not_found', 'There is no such run here.');
}
