import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import { pageQuerySchema, pageOf as pageSchema } from '../../../schemas/api.ts';
import { linkCreatedSchema, linkCreateSchema, linkSchema } from '../../../schemas/api-links.ts';
import { nameSchema } from '../../../schemas/manifest-parts.ts';
import { tenantAdmin } from '../http/auth.ts';
import { smallJson } from '../http/middleware.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { createLink } from '../services/links/create.ts';
import { listLinks } from '../services/links/list.ts';
import { revokeLink } from '../services/links/revoke.ts';
import type { LinkRecord } from '../store/link-store.ts';

const tags = ['links'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'] as const;
const tenantParam = z.object({ tenant: nameSchema });

const create = createRoute({
  method: 'post',
  path: '/v1/tenants/{tenant}/links',
  summary: 'Create a link for MONAI Label clients that can show no key; it is shown this once',
  description:
    "Whoever has the link may segment in the tenant's name, and nothing else, until it ends. It stands in a path: keep it out of logs.",
  tags,
  ...tenantAdmin,
  middleware: every(tenantAdmin.middleware, smallJson),
  request: {
    params: tenantParam,
    body: { required: true, content: { 'application/json': { schema: linkCreateSchema } } },
  },
  responses: {
    201: { description: 'Created', content: { 'application/json': { schema: linkCreatedSchema } } },
    ...errors(...common, 'length_required', 'too_large'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/tenants/{tenant}/links',
  summary: 'List links, without their addresses',
  tags,
  ...tenantAdmin,
  request: { params: tenantParam, query: pageQuerySchema },
  responses: {
    200: { description: 'By id', content: { 'application/json': { schema: pageSchema(linkSchema) } } },
    ...errors(...common),
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/v1/tenants/{tenant}/links/{id}',
  summary: 'Revoke a link at once',
  tags,
  ...tenantAdmin,
  request: { params: tenantParam.extend({ id: z.string().max(64) }) },
  responses: { 204: { description: 'Revoked' }, ...errors(...common) },
});

export const linkRoutes = routes()
  .openapi(create, async (c) => {
    const { tenant } = c.req.valid('param');
    const created = await createLink(c.get('ports'), tenant, c.get('principal'), c.req.valid('json'));
    const url = new URL(`/monailabel/t/${created.token}/`, c.req.url).href;
    return c.json({ ...show(created), url }, 201);
  })
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const page = pageOf(query, (place) => place);
    const links = await listLinks(c.get('ports'), c.req.valid('param').tenant, page);
    return c.json(
      paged(links, query.limit, show, ({ id }) => id),
      200,
    );
  })
  .openapi(revoke, async (c) => {
    const { tenant, id } = c.req.valid('param');
    await revokeLink(c.get('ports'), tenant, c.get('principal'), id);
    return c.body(null, 204);
  });

function show({ id, name, createdAt, expiresAt }: LinkRecord) {
  return {
    id,
    name,
    created_at: new Date(createdAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
  };
}
