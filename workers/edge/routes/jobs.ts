import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { pageQuerySchema, pageOf as pageSchema } from '../../../schemas/api.ts';
import { jobCreatedSchema, jobSchema } from '../../../schemas/api-jobs.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { reportSchema } from '../../../schemas/report.ts';
import { scope } from '../http/auth.ts';
import { errors, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { viewerOf } from '../principal.ts';
import { endJob, findJob } from '../services/jobs/end.ts';
import { findReport } from '../services/jobs/report.ts';
import { openResult } from '../services/jobs/result.ts';
import type { JobPlace } from '../store/job-store.ts';
import { answerContent, answerDescription, labelMapHeaders, madeWith } from './label-map.ts';
import { showJob, showReport } from './show-job.ts';

const tags = ['segmentations'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'internal'] as const;
export const jobParam = z.object({ id: z.string().max(64) });
const one = { 'application/json': { schema: jobSchema } };

const list = createRoute({
  method: 'get',
  path: '/v1/segmentations',
  summary: "The tenant's asynchronous segmentations, the newest first",
  tags,
  ...scope('segment'),
  request: { query: pageQuerySchema },
  responses: {
    200: {
      description: 'By time, kept for 30 days after their end',
      content: { 'application/json': { schema: pageSchema(jobSchema) } },
    },
    ...errors(...common),
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/segmentations/{id}',
  summary: 'How far a segmentation is, and how it ended',
  tags,
  ...scope('segment'),
  request: { params: jobParam },
  responses: { 200: { description: 'Found', content: one }, ...errors(...common, 'not_found') },
});

const result = createRoute({
  method: 'get',
  path: '/v1/segmentations/{id}/result',
  summary: 'The label map, for 24 hours after it was made',
  tags,
  ...scope('segment'),
  request: { params: jobParam },
  responses: {
    200: {
      description: answerDescription,
      headers: labelMapHeaders,
      content: answerContent,
    },
    ...errors(...common, 'not_found', 'conflict', 'cancelled', 'expired'),
  },
});

const report = createRoute({
  method: 'get',
  path: '/v1/segmentations/{id}/report',
  summary: 'What a segmentation found, how sure the network was, and where the input is unlike its training',
  tags,
  ...scope('segment'),
  request: { params: jobParam },
  responses: {
    200: { description: 'Kept as long as the job', content: { 'application/json': { schema: reportSchema } } },
    ...errors(...common, 'not_found', 'conflict', 'cancelled'),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/segmentations/{id}',
  summary: 'Cancel a segmentation; erase one that has ended, with its input and result',
  tags,
  ...scope('segment'),
  request: { params: jobParam },
  responses: {
    202: { description: 'Cancelled', content: { 'application/json': { schema: jobCreatedSchema } } },
    204: { description: 'Erased' },
    ...errors(...common, 'not_found'),
  },
});

export const jobRoutes = routes()
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const jobs = await c.get('ports').catalogue.jobs.list(viewerOf(c.get('principal')), pageOf(query, parsePlace));
    return c.json(
      paged(jobs, query.limit, showJob, ({ createdAt, id }) => `${createdAt} ${id}`),
      200,
    );
  })
  .openapi(get, async (c) =>
    c.json(showJob(await findJob(c.get('ports'), c.get('principal'), c.req.valid('param').id)), 200),
  )
  .openapi(result, async (c) => {
    const found = await openResult(c.get('ports'), c.get('principal'), c.req.valid('param').id);
    const headers = madeWith(found.job.adapter, found.job.base, found.result, found.job);
    headers.set('content-length', String(found.result.bytes));
    return new Response(found.body, { headers });
  })
  .openapi(report, async (c) => {
    const found = await findReport(c.get('ports'), c.get('principal'), c.req.valid('param').id);
    return c.json(showReport(found.job, found.report), 200);
  })
  .openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    const how = await endJob(c.get('ports'), c.get('principal'), id);
    return how === 'cancelled' ? c.json({ id, status: 'cancelled' as const }, 202) : c.body(null, 204);
  });

function parsePlace(place: string): JobPlace {
  const [, createdAt, id] = /^([0-9]{1,15}) (.{1,64})$/.exec(place) ?? [];
  if (id === undefined) throw new ServiceError('invalid_request', 'cursor: expected what next_cursor said.');
  return { createdAt: Number(createdAt), id };
}
