import { createRoute } from '@hono/zod-openapi';
import { healthSchema } from '../../../schemas/api.ts';
import { everyone } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';

const health = { 'application/json': { schema: healthSchema } };

const show = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether a runner is there to serve',
  tags: ['service'],
  ...everyone,
  responses: {
    200: { description: 'A runner is ready', content: health },
    503: { description: 'None is', content: health },
    ...errors('internal'),
  },
});

export const healthRoutes = routes().openapi(show, async (c) => {
  const runners = await c.get('ports').runner.status();
  return runners.ready > 0 ? c.json({ status: 'ok', runners }, 200) : c.json({ status: 'degraded', runners }, 503);
});
