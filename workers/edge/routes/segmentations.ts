import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { segmentationQuerySchema } from '../../../schemas/api.ts';
import { jobCreatedSchema, jobInputsSchema } from '../../../schemas/api-jobs.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import {
  DEADLINE_ASYNC_DEFAULT_SECONDS,
  DEADLINE_DEFAULT_SECONDS,
  DEADLINE_MAX_SECONDS,
} from '../../../schemas/limits.ts';
import { writeReport } from '../../../schemas/report.ts';
import { scope } from '../http/auth.ts';
import type { EdgeContext } from '../http/context.ts';
import { contentLength, reprDigest } from '../http/headers.ts';
import { idempotencyKey, refuseKey } from '../http/idempotency.ts';
import { isJson, readJson } from '../http/json.ts';
import { binary, errors, routes } from '../http/openapi.ts';
import { ownerOf } from '../principal.ts';
import { fingerprintOf } from '../services/idempotency/fingerprint.ts';
import { once } from '../services/idempotency/once.ts';
import { createJob, findOwn } from '../services/jobs/create.ts';
import { forwardBody } from '../services/segmentations/forwarded-body.ts';
import { type Segmented, segmentRecorded } from '../services/segmentations/recorded.ts';
import { answerContent, answerDescription, labelMapHeaders, madeWith } from './label-map.ts';

/** It is no zod schema here: a validator would read every body to look for JSON. */
const inputsDocument = {
  type: 'object' as const,
  required: ['inputs'],
  properties: {
    inputs: {
      type: 'object' as const,
      additionalProperties: { type: 'string' as const },
      example: { T1: 'b5b1…' },
    },
  },
};

const create = createRoute({
  method: 'post',
  path: '/v1/segmentations',
  summary: 'Segment a volume with an adapter',
  description: `The body is one NIfTI or NRRD file, whatever its content type, or multipart/form-data with a part a channel. With
\`Prefer: respond-async\`, or with JSON that names an upload for each channel, the segmentation is taken in and done later.`,
  tags: ['segmentations'],
  ...scope('segment', secondsOfRun),
  request: {
    query: segmentationQuerySchema,
    headers: z.object({
      prefer: z.string().optional().meta({ example: 'respond-async' }),
      'idempotency-key': z.string().optional().meta({ description: 'Of an asynchronous segmentation alone' }),
      'repr-digest': z.string().optional().meta({ example: 'sha-256=:…:' }),
    }),
    body: {
      required: true,
      content: {
        'application/octet-stream': { schema: binary },
        'multipart/form-data': { schema: { type: 'object', additionalProperties: binary } },
        'application/json': { schema: inputsDocument },
      },
    },
  },
  responses: {
    200: {
      description: answerDescription,
      headers: labelMapHeaders.extend({
        'x-report': z
          .string()
          .optional()
          .meta({ description: 'With report=true: base64 of JSON, as GET of a report has it from `labels` on' }),
      }),
      content: answerContent,
    },
    202: {
      description: 'Taken in; `Location` says where it can be looked at',
      headers: z.object({ location: z.string() }),
      content: { 'application/json': { schema: jobCreatedSchema } },
    },
    ...errors(
      'invalid_request',
      'unauthorized',
      'forbidden',
      'not_found',
      'adapter_not_ready',
      'conflict',
      'cancelled',
      'length_required',
      'too_large',
      'invalid_volume',
      'channel_mismatch',
      'grid_mismatch',
      'idempotency_mismatch',
      'quota_exceeded',
      'internal',
      'bad_runner_reply',
      'runner_busy',
      'runner_unavailable',
      'storage_unavailable',
      'deadline_exceeded',
    ),
  },
});

export const segmentationRoutes = routes().openapi(create, async (c) => {
  const json = isJson(c.req);
  if (!json && !prefersAsync(c)) return await answerNow(c, c.req.valid('query'));
  const { adapter, output, format, deadline = DEADLINE_ASYNC_DEFAULT_SECONDS } = c.req.valid('query');
  const { input, fingerprint } = json ? await namedInput(c) : sentInput(c);
  const job = await once(c.get('ports'), c.get('principal'), {
    key: idempotencyKey(c.req),
    fingerprint,
    resource: crypto.randomUUID(),
    make: (id) =>
      createJob(c.get('ports'), c.get('principal'), id, { adapter, output, format, deadlineSeconds: deadline, input }),
    find: (id) => findOwn(c.get('ports'), ownerOf(c.get('principal')), id),
  });
  c.header('location', `/v1/segmentations/${job.id}`);
  if (prefersAsync(c)) c.header('preference-applied', 'respond-async');
  return c.json({ id: job.id, status: job.status }, 202);
});

async function answerNow(c: EdgeContext, query: z.infer<typeof segmentationQuerySchema>): Promise<Response> {
  const { adapter, output, format, deadline = DEADLINE_DEFAULT_SECONDS } = query;
  refuseKey(c.req);
  if (deadline > DEADLINE_MAX_SECONDS) {
    const longest = `deadline: expected at most ${DEADLINE_MAX_SECONDS} seconds`;
    throw new ServiceError('invalid_request', `${longest}; for longer ones send Prefer: respond-async.`);
  }
  const length = contentLength(c.req);
  const done = await segmentRecorded(c.get('ports'), c.get('principal'), {
    runId: c.get('requestId'),
    adapter,
    output,
    format,
    deadlineSeconds: deadline,
    volumes: () => ({
      body: forwardBody(c.req.raw.body, length),
      contentType: forwardedType(c.req.header('content-type')),
    }),
    signal: c.req.raw.signal,
  });
  const headers = replyHeaders(done, query);
  if (query.report === 'true' && done.reply.report !== null) headers.set('x-report', writeReport(done.reply.report));
  return new Response(done.reply.body, { headers });
}

/** How long the run may take; null where it is refused by its deadline, or is no run yet but a job. */
function secondsOfRun(c: EdgeContext): number | null {
  if (isJson(c.req) || prefersAsync(c)) return null;
  const deadline = segmentationQuerySchema.shape.deadline.safeParse(c.req.query('deadline'));
  if (!deadline.success) return null;
  const seconds = deadline.data ?? DEADLINE_DEFAULT_SECONDS;
  return seconds > DEADLINE_MAX_SECONDS ? null : seconds;
}

/** RFC 7240. */
function prefersAsync(c: EdgeContext): boolean {
  return /(^|[,;\s])respond-async\b/i.test(c.req.header('prefer') ?? '');
}

/** The volumes as the body of this very call. */
function sentInput(c: EdgeContext) {
  const size = contentLength(c.req);
  const digest = reprDigest(c.req);
  const contentType = forwardedType(c.req.header('content-type'));
  return {
    input: { kind: 'body' as const, body: c.req.raw.body, size, contentType, digest },
    fingerprint: fingerprintOf({ method: c.req.method, url: c.req.url, length: size, content: digest }),
  };
}

/** The volumes as uploads, named in JSON. */
async function namedInput(c: EdgeContext) {
  const { inputs } = await readJson(c.req, jobInputsSchema);
  const content = JSON.stringify(Object.entries(inputs).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return {
    input: { kind: 'uploads' as const, inputs },
    fingerprint: fingerprintOf({ method: c.req.method, url: c.req.url, length: content.length, content }),
  };
}

/** The runner needs to know multipart and its boundary; nothing else of it depends on what a client calls a volume. */
function forwardedType(contentType: string | undefined): string {
  return contentType !== undefined && /^multipart\/form-data\s*;/i.test(contentType)
    ? contentType
    : 'application/octet-stream';
}

function replyHeaders({ version, base, reply }: Segmented, query: z.infer<typeof segmentationQuerySchema>): Headers {
  const headers = madeWith(version, base.digest, reply, query);
  if (reply.contentLength !== null) headers.set('content-length', reply.contentLength);
  return headers;
}
