import { createRoute } from '@hono/zod-openapi';
import { modelListSchema } from '../../../schemas/api.ts';
import { scope } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';
import { viewerOf } from '../principal.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/models',
  summary: 'What the key may use, in the shape that clients of language models know',
  tags: ['adapters'],
  ...scope('adapters:read'),
  responses: {
    200: {
      description: 'Each adapter at its newest ready version; `root` is its digest, `parent` its base',
      content: { 'application/json': { schema: modelListSchema } },
    },
    ...errors('invalid_request', 'unauthorized', 'forbidden', 'internal'),
  },
});

export const modelRoutes = routes().openapi(list, async (c) => {
  const models = await c.get('ports').catalogue.adapters.models(viewerOf(c.get('principal')));
  const data = models.map(({ tenant, name, digest, base }) => ({
    id: `${tenant}/${name}`,
    object: 'model' as const,
    owned_by: tenant,
    root: digest,
    parent: base,
  }));
  return c.json({ object: 'list' as const, data }, 200);
});
