import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import { pageQuerySchema, pageOf as pageSchema, tenantCreateSchema, tenantSchema } from '../../../schemas/api.ts';
import { nameSchema } from '../../../schemas/manifest-parts.ts';
import { operator } from '../http/auth.ts';
import { idempotencyHeader, idempotencyKey } from '../http/idempotency.ts';
import { smallJson } from '../http/middleware.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { fingerprintOf } from '../services/idempotency/fingerprint.ts';
import { once } from '../services/idempotency/once.ts';
import { createTenant } from '../services/tenants/create.ts';
import { removeTenant } from '../services/tenants/remove.ts';
import type { TenantRecord } from '../store/tenant-store.ts';

const tags = ['tenants'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'internal'] as const;

const create = createRoute({
  method: 'post',
  path: '/v1/tenants',
  summary: 'Create a tenant',
  tags,
  ...operator,
  middleware: every(operator.middleware, smallJson),
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: tenantCreateSchema } } },
  },
  responses: {
    201: { description: 'Created', content: { 'application/json': { schema: tenantSchema } } },
    ...errors(...common, 'conflict', 'length_required', 'too_large', 'idempotency_mismatch'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/tenants',
  summary: 'List tenants',
  tags,
  ...operator,
  request: { query: pageQuerySchema },
  responses: {
    200: { description: 'By id', content: { 'application/json': { schema: pageSchema(tenantSchema) } } },
    ...errors(...common),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/tenants/{tenant}',
  summary: 'Delete a tenant and all that is its own, its audit among it',
  tags,
  ...operator,
  request: { params: z.object({ tenant: nameSchema }) },
  responses: { 204: { description: 'Deleted' }, ...errors(...common, 'not_found', 'storage_unavailable') },
});

export const tenantRoutes = routes()
  .openapi(create, async (c) => {
    const { id } = c.req.valid('json');
    const { catalogue } = c.get('ports');
    const tenant = await once(c.get('ports'), c.get('principal'), {
      key: idempotencyKey(c.req),
      fingerprint: fingerprintOf({ method: c.req.method, url: c.req.url, length: id.length, content: id }),
      resource: id,
      make: () => createTenant(c.get('ports'), c.get('principal'), id),
      find: () => catalogue.tenants.find(id),
    });
    return c.json(show(tenant), 201);
  })
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const tenants = await c.get('ports').catalogue.tenants.list(pageOf(query, (place) => place));
    return c.json(
      paged(tenants, query.limit, show, ({ id }) => id),
      200,
    );
  })
  .openapi(remove, async (c) => {
    await removeTenant(c.get('ports'), c.get('principal'), c.req.valid('param').tenant);
    return c.body(null, 204);
  });

function show({ id, createdAt }: TenantRecord) {
  return { id, created_at: new Date(createdAt).toISOString() };
}
