import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { segmentationQuerySchema } from '../../../schemas/api.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { BASE_REF } from '../../../schemas/names.ts';
import { scope } from '../http/auth.ts';
import type { EdgeContext } from '../http/context.ts';
import { contentLength, refuseJson } from '../http/headers.ts';
import { binary, errors, routes } from '../http/openapi.ts';
import { type Segmented, segment } from '../services/segmentations/segment.ts';

const headersSchema = z.object({
  'x-adapter-id': z.string().meta({ description: `tenant/name, or ${BASE_REF}` }),
  'x-adapter-version': z.string().optional().meta({ description: 'Not with the base alone' }),
  'x-adapter-digest': z.string().optional().meta({ description: 'Not with the base alone' }),
  'x-base-digest': z.string(),
  'x-adapter-cache': z.enum(['hot', 'warm', 'cold']),
  'server-timing': z
    .string()
    .meta({ description: 'queue, fetch, decode, preprocess, fuse, infer, postprocess, encode' }),
});

const create = createRoute({
  method: 'post',
  path: '/v1/segmentations',
  summary: 'Segment a volume with an adapter',
  description: 'The body is one NIfTI file, whatever its content type, or multipart/form-data with a part a channel.',
  tags: ['segmentations'],
  ...scope('segment', secondsOfRun),
  request: {
    query: segmentationQuerySchema,
    body: {
      required: true,
      content: {
        'application/octet-stream': { schema: binary },
        'multipart/form-data': { schema: { type: 'object', additionalProperties: binary } },
      },
    },
  },
  responses: {
    200: {
      description: "A gzipped NIfTI on the grid of the adapter's first channel: a label map, or probabilities",
      headers: headersSchema,
      content: { 'application/gzip': { schema: binary } },
    },
    ...errors(
      'invalid_request',
      'unauthorized',
      'forbidden',
      'not_found',
      'adapter_not_ready',
      'cancelled',
      'length_required',
      'too_large',
      'invalid_volume',
      'channel_mismatch',
      'grid_mismatch',
      'quota_exceeded',
      'internal',
      'bad_runner_reply',
      'runner_busy',
      'runner_unavailable',
      'deadline_exceeded',
    ),
  },
});

export const segmentationRoutes = routes().openapi(create, async (c) => {
  const { adapter, output, deadline } = c.req.valid('query');
  refuseAsync(c);
  refuseJson(c.req, 'a volume');
  const length = contentLength(c.req);
  const done = await segment(c.get('ports'), c.get('principal'), {
    runId: c.get('requestId'),
    adapter,
    output,
    deadlineSeconds: deadline,
    body: c.req.raw.body,
    contentLength: length,
    contentType: forwardedType(c.req.header('content-type')),
    signal: c.req.raw.signal,
  });
  return new Response(done.reply.body, { headers: replyHeaders(done) });
});

/** How long the run may take; null where it is refused by its deadline, or is no run yet but a job. */
function secondsOfRun(c: EdgeContext): number | null {
  if (isAsync(c)) return null;
  const deadline = segmentationQuerySchema.shape.deadline.safeParse(c.req.query('deadline'));
  return deadline.success ? deadline.data : null;
}

/** A preference may be ignored, but a caller that waits for a job would wait in vain. */
function refuseAsync(c: EdgeContext): void {
  if (isAsync(c)) {
    throw new ServiceError('invalid_request', 'Prefer: this service answers segmentations in the reply alone.');
  }
}

function isAsync(c: EdgeContext): boolean {
  return /\brespond-async\b/i.test(c.req.header('prefer') ?? '');
}

/** The runner needs to know multipart and its boundary; nothing else of it depends on what a client calls a NIfTI. */
function forwardedType(contentType: string | undefined): string {
  return contentType !== undefined && /^multipart\/form-data\s*;/i.test(contentType)
    ? contentType
    : 'application/octet-stream';
}

function replyHeaders({ version, base, reply }: Segmented): Headers {
  const headers = new Headers({
    'content-type': 'application/gzip',
    'cache-control': 'no-store',
    'x-adapter-id': version === null ? BASE_REF : `${version.tenant}/${version.name}`,
    'x-base-digest': base.digest,
    'x-adapter-cache': reply.cache,
    'server-timing': reply.serverTiming,
  });
  if (version !== null) {
    headers.set('x-adapter-version', String(version.version));
    headers.set('x-adapter-digest', version.digest);
  }
  if (reply.contentLength !== null) headers.set('content-length', reply.contentLength);
  return headers;
}
