import { createRoute } from '@hono/zod-openapi';
import { healthSchema } from '../../../schemas/api.ts';
import { everyone } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';

const health = { 'application/json': { schema: healthSchema } };

const show = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether a runner and a base are there to serve',
  tags: ['service'],
  ...everyone,
  responses: {
    ...errors('internal'),
    200: { description: 'A runner is ready, and there is a base', content: health },
    503: { description: 'One of them is missing', content: health },
  },
});

export const healthRoutes = routes().openapi(show, async (c) => {
  const { runner, catalogue } = c.get('ports');
  const [runners, base] = await Promise.all([runner.status(), catalogue.bases.first()]);
  return runners.ready > 0 && base !== null
    ? c.json({ status: 'ok' as const, runners }, 200)
    : c.json({ status: 'degraded' as const, runners }, 503);
});
