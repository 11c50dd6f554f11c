import { createRoute } from '@hono/zod-openapi';
import { pageOf as pageSchema } from '../../../schemas/api.ts';
import { auditEntrySchema, auditQuerySchema } from '../../../schemas/api-audit.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { scope } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { listAudit } from '../services/audit/list.ts';
import type { AuditRecord } from '../store/audit-store.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/audit',
  summary: 'Every change and every segmentation: who, what, and what came of it',
  tags: ['audit'],
  ...scope('tenant:admin'),
  request: { query: auditQuerySchema },
  responses: {
    200: {
      description: "The tenant's own, the newest first",
      content: { 'application/json': { schema: pageSchema(auditEntrySchema) } },
    },
    ...errors('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'),
  },
});

export const auditRoutes = routes().openapi(list, async (c) => {
  const query = c.req.valid('query');
  const entries = await listAudit(c.get('ports'), c.get('principal'), query.tenant, pageOf(query, parsePlace));
  return c.json(
    paged(entries, query.limit, show, ({ id }) => String(id)),
    200,
  );
});

function parsePlace(place: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(place)) {
    throw new ServiceError('invalid_request', 'cursor: expected what next_cursor said.');
  }
  return Number(place);
}

function show({ id, at, tenant, actor, action, subject, adapter, base, voxels, outcome, requestId }: AuditRecord) {
  const time = new Date(at).toISOString();
  return { id, at: time, tenant, actor, action, subject, adapter, base, voxels, outcome, request_id: requestId };
}
