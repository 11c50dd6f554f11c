import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import { quotaChangeSchema, quotaSchema } from '../../../schemas/api-quotas.ts';
import { nameSchema } from '../../../schemas/manifest-parts.ts';
import { operator, tenantAdmin } from '../http/auth.ts';
import { smallJson } from '../http/middleware.ts';
import { errors, routes } from '../http/openapi.ts';
import { setQuota } from '../services/quotas/set.ts';
import { type Standing, showQuota } from '../services/quotas/show.ts';

const tags = ['tenants'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'] as const;
const path = '/v1/tenants/{tenant}/quota';
const params = z.object({ tenant: nameSchema });
const quota = { 'application/json': { schema: quotaSchema } };

const get = createRoute({
  method: 'get',
  path,
  summary: 'What a tenant may use, and what it uses of it',
  tags,
  ...tenantAdmin,
  request: { params },
  responses: { 200: { description: 'Its limits and usage', content: quota }, ...errors(...common) },
});

const put = createRoute({
  method: 'put',
  path,
  summary: "Set a tenant's limits; null goes back to the default, what is left out stays",
  tags,
  ...operator,
  middleware: every(operator.middleware, smallJson),
  request: { params, body: { required: true, content: { 'application/json': { schema: quotaChangeSchema } } } },
  responses: {
    200: { description: 'As they are now', content: quota },
    ...errors(...common, 'length_required', 'too_large'),
  },
});

export const quotaRoutes = routes()
  .openapi(get, async (c) => c.json(show(await showQuota(c.get('ports'), c.req.valid('param').tenant)), 200))
  .openapi(put, async (c) => {
    const json = c.req.valid('json');
    const changes = {
      storedBytes: json.stored_bytes,
      waitingJobs: json.waiting_jobs,
      segmentationsAtOnce: json.segmentations_at_once,
      requestsPerMinute: json.requests_per_minute,
    };
    return c.json(show(await setQuota(c.get('ports'), c.req.valid('param').tenant, c.get('principal'), changes)), 200);
  });

function show({ limits, usage }: Standing) {
  return {
    limits: {
      stored_bytes: limits.storedBytes,
      waiting_jobs: limits.waitingJobs,
      segmentations_at_once: limits.segmentationsAtOnce,
      requests_per_minute: limits.requestsPerMinute,
    },
    usage: { stored_bytes: usage.storedBytes, waiting_jobs: usage.waitingJobs },
  };
}
