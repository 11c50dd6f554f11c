import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import {
  keyCreatedSchema,
  keyCreateSchema,
  keyRotateSchema,
  keySchema,
  pageQuerySchema,
  pageOf as pageSchema,
} from '../../../schemas/api.ts';
import { nameSchema } from '../../../schemas/manifest-parts.ts';
import { tenantAdmin } from '../http/auth.ts';
import { smallJson } from '../http/middleware.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { createKey } from '../services/keys/create.ts';
import { listKeys } from '../services/keys/list.ts';
import { revokeKey } from '../services/keys/revoke.ts';
import { rotateKey } from '../services/keys/rotate.ts';
import type { KeyRecord } from '../store/key-store.ts';

const tags = ['keys'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'] as const;
const tenantParam = z.object({ tenant: nameSchema });
const keyParams = tenantParam.extend({ id: z.string().max(64) });

const create = createRoute({
  method: 'post',
  path: '/v1/tenants/{tenant}/keys',
  summary: 'Create a key; it is shown this once',
  tags,
  ...tenantAdmin,
  middleware: every(tenantAdmin.middleware, smallJson),
  request: {
    params: tenantParam,
    body: { required: true, content: { 'application/json': { schema: keyCreateSchema } } },
  },
  responses: {
    201: { description: 'Created', content: { 'application/json': { schema: keyCreatedSchema } } },
    ...errors(...common, 'length_required', 'too_large'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/tenants/{tenant}/keys',
  summary: 'List keys, without the keys themselves',
  tags,
  ...tenantAdmin,
  request: { params: tenantParam, query: pageQuerySchema },
  responses: {
    200: { description: 'By id', content: { 'application/json': { schema: pageSchema(keySchema) } } },
    ...errors(...common),
  },
});

const rotate = createRoute({
  method: 'post',
  path: '/v1/tenants/{tenant}/keys/{id}/rotate',
  summary: 'Replace a key by another with its name, scopes and expiry; both work for a while',
  tags,
  ...tenantAdmin,
  middleware: every(tenantAdmin.middleware, smallJson),
  request: {
    params: keyParams,
    body: { required: true, content: { 'application/json': { schema: keyRotateSchema } } },
  },
  responses: {
    201: { description: 'Created', content: { 'application/json': { schema: keyCreatedSchema } } },
    ...errors(...common, 'conflict', 'length_required', 'too_large'),
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/v1/tenants/{tenant}/keys/{id}',
  summary: 'Revoke a key at once',
  tags,
  ...tenantAdmin,
  request: { params: keyParams },
  responses: { 204: { description: 'Revoked' }, ...errors(...common) },
});

export const keyRoutes = routes()
  .openapi(create, async (c) => {
    const { tenant } = c.req.valid('param');
    const created = await createKey(c.get('ports'), tenant, c.get('principal'), c.req.valid('json'));
    return c.json({ ...show(created), key: created.key }, 201);
  })
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const page = pageOf(query, (place) => place);
    const keys = await listKeys(c.get('ports'), c.req.valid('param').tenant, page);
    return c.json(
      paged(keys, query.limit, show, ({ id }) => id),
      200,
    );
  })
  .openapi(rotate, async (c) => {
    const { tenant, id } = c.req.valid('param');
    const { overlap_seconds: overlap } = c.req.valid('json');
    const created = await rotateKey(c.get('ports'), tenant, c.get('principal'), id, overlap);
    return c.json({ ...show(created), key: created.key }, 201);
  })
  .openapi(revoke, async (c) => {
    const { tenant, id } = c.req.valid('param');
    await revokeKey(c.get('ports'), tenant, c.get('principal'), id);
    return c.body(null, 204);
  });

function show({ id, name, scopes, createdAt, expiresAt }: KeyRecord) {
  return {
    id,
    name,
    scopes,
    created_at: new Date(createdAt).toISOString(),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}
