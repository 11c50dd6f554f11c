import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import { aliasNameSchema, aliasSchema, aliasSetSchema } from '../../../schemas/api-sharing.ts';
import { scope } from '../http/auth.ts';
import { smallJson } from '../http/middleware.ts';
import { errors, routes } from '../http/openapi.ts';
import { ownName } from '../principal.ts';
import { removeAlias } from '../services/aliases/remove.ts';
import { setAlias } from '../services/aliases/set.ts';
import { nameParam } from './name-param.ts';

const tags = ['adapters'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'alias_conflict', 'internal'] as const;
const writer = scope('adapters:write');
const params = z.object({ name: nameParam, alias: aliasNameSchema });

const set = createRoute({
  method: 'put',
  path: '/v1/adapters/{name}/aliases/{alias}',
  summary: 'Point an alias at a ready version, if it is where it is expected',
  tags,
  ...writer,
  middleware: every(writer.middleware, smallJson),
  request: { params, body: { required: true, content: { 'application/json': { schema: aliasSetSchema } } } },
  responses: {
    200: { description: 'It points there', content: { 'application/json': { schema: aliasSchema } } },
    ...errors(...common, 'adapter_not_ready', 'length_required', 'too_large'),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/adapters/{name}/aliases/{alias}',
  summary: 'Delete an alias',
  tags,
  ...writer,
  request: {
    params,
    query: z.object({
      expected: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .meta({ description: 'Only where the alias is at this version' }),
    }),
  },
  responses: { 204: { description: 'Deleted' }, ...errors(...common) },
});

export const aliasRoutes = routes()
  .openapi(set, async (c) => {
    const { name, alias } = c.req.valid('param');
    const adapter = ownName(c.get('principal'), name);
    const target = c.req.valid('json');
    await setAlias(c.get('ports'), c.get('principal'), adapter, alias, target);
    return c.json({ adapter: `${adapter.tenant}/${adapter.name}`, alias, version: target.version }, 200);
  })
  .openapi(remove, async (c) => {
    const { name, alias } = c.req.valid('param');
    const { expected } = c.req.valid('query');
    await removeAlias(c.get('ports'), c.get('principal'), ownName(c.get('principal'), name), alias, expected);
    return c.body(null, 204);
  });
