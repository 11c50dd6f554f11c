import { createRoute } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { ServiceError } from '../../../schemas/errors.ts';
import { scope } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';
import { findJob } from '../services/jobs/end.ts';
import { watchJob } from '../services/jobs/watch.ts';
import { authenticate } from '../services/keys/authenticate.ts';
import { jobParam } from './jobs.ts';
import { showJob } from './show-job.ts';

/** Each look is two queries, and an invocation may ask D1 a thousand; who reads events connects again by itself. */
const WATCH_MS = 5 * 60_000;

const events = createRoute({
  method: 'get',
  path: '/v1/segmentations/{id}/events',
  summary: 'Server-sent events: the segmentation each time it changes, until it ends',
  tags: ['segmentations'],
  ...scope('segment'),
  request: { params: jobParam },
  responses: {
    200: {
      description: 'Each `data` is what GET of the segmentation answers; after the last one the stream ends',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    ...errors('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'),
  },
});

export const jobEventRoutes = routes().openapi(events, async (c) => {
  const ports = c.get('ports');
  const { id } = c.req.valid('param');
  // What is not there is a 404, and not a stream that ends at once.
  await findJob(ports, c.get('principal'), id);
  const shown = c.req.header('authorization');
  // A key that is revoked while it watches sees nothing more.
  const look = async () => findJob(ports, await authenticate(ports, shown), id);
  const gone = new AbortController();
  c.header('x-accel-buffering', 'no');
  const reply = streamSSE(c, async (stream) => {
    stream.onAbort(() => gone.abort());
    const limits = { until: ports.now() + WATCH_MS, signal: gone.signal };
    let number = 0;
    try {
      for await (const job of watchJob(ports, look, limits)) {
        // A comment keeps what lies between from taking a quiet stream for a dead one.
        if (job === null) await stream.write(': waiting\n\n');
        else await stream.writeSSE({ data: JSON.stringify(showJob(job)), id: String(++number) });
      }
    } catch (error) {
      // The key was revoked, or the segmentation erased: there is no more to tell.
      if (!(error instanceof ServiceError)) throw error;
    }
  });
  // `streamSSE` says no-cache, under which it might be kept.
  c.header('cache-control', 'no-store');
  return reply;
});
