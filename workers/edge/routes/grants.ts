import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { pageQuerySchema, pageOf as pageSchema } from '../../../schemas/api.ts';
import { granteeSchema, grantSchema } from '../../../schemas/api-sharing.ts';
import { scope } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { ownName } from '../principal.ts';
import { giveGrant } from '../services/grants/give.ts';
import { listGrants } from '../services/grants/list.ts';
import { withdrawGrant } from '../services/grants/withdraw.ts';
import { nameParam } from './name-param.ts';

const tags = ['adapters'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'] as const;
const params = z.object({
  name: nameParam,
  tenant: granteeSchema.meta({ description: 'Another tenant, or * for everyone where the operator allows it' }),
});

const give = createRoute({
  method: 'put',
  path: '/v1/adapters/{name}/grants/{tenant}',
  summary: 'Let another tenant use an adapter and see what it is; never its file',
  tags,
  ...scope('adapters:write'),
  request: { params },
  responses: { 204: { description: 'Granted, whether or not there is such a tenant' }, ...errors(...common) },
});

const withdraw = createRoute({
  method: 'delete',
  path: '/v1/adapters/{name}/grants/{tenant}',
  summary: 'End a grant at once',
  tags,
  ...scope('adapters:write'),
  request: { params },
  responses: { 204: { description: 'Withdrawn' }, ...errors(...common) },
});

const list = createRoute({
  method: 'get',
  path: '/v1/adapters/{name}/grants',
  summary: "Whom an adapter of one's own is granted to",
  tags,
  ...scope('adapters:read'),
  request: { params: params.pick({ name: true }), query: pageQuerySchema },
  responses: {
    200: { description: 'By tenant', content: { 'application/json': { schema: pageSchema(grantSchema) } } },
    ...errors(...common),
  },
});

export const grantRoutes = routes()
  .openapi(give, async (c) => {
    const { name, tenant } = c.req.valid('param');
    await giveGrant(c.get('ports'), c.get('principal'), ownName(c.get('principal'), name), tenant);
    return c.body(null, 204);
  })
  .openapi(withdraw, async (c) => {
    const { name, tenant } = c.req.valid('param');
    await withdrawGrant(c.get('ports'), c.get('principal'), ownName(c.get('principal'), name), tenant);
    return c.body(null, 204);
  })
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const adapter = ownName(c.get('principal'), c.req.valid('param').name);
    const grantees = await listGrants(
      c.get('ports'),
      adapter,
      pageOf(query, (place) => place),
    );
    return c.json(
      paged(
        grantees,
        query.limit,
        (tenant) => ({ tenant }),
        (tenant) => tenant,
      ),
      200,
    );
  });
