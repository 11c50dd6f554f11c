import { createRoute } from '@hono/zod-openapi';
import { baseSchema, pageQuerySchema, pageOf as pageSchema } from '../../../schemas/api.ts';
import type { FormatProblem } from '../../../schemas/errors.ts';
import { operator, scope } from '../http/auth.ts';
import { withFile } from '../http/incoming-file.ts';
import { errors, fileBody, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { uploadBase } from '../services/bases/upload.ts';
import type { BaseRecord } from '../store/base-store.ts';

const tags = ['bases'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'internal'] as const;
const base = { 'application/json': { schema: baseSchema } };

const list = createRoute({
  method: 'get',
  path: '/v1/bases',
  summary: 'The bases served here',
  tags,
  ...scope('adapters:read'),
  request: { query: pageQuerySchema },
  responses: {
    200: { description: 'By digest', content: { 'application/json': { schema: pageSchema(baseSchema) } } },
    ...errors(...common),
  },
});

const upload = createRoute({
  method: 'post',
  path: '/v1/bases',
  summary: 'Serve a base; the body is its file, or names an upload; a runner verifies it before the reply',
  tags,
  ...operator,
  request: { body: fileBody },
  responses: {
    200: { description: 'Served already', content: base },
    201: { description: 'Served from now on', content: base },
    ...errors(
      ...common,
      'not_found',
      'conflict',
      'length_required',
      'too_large',
      'invalid_base',
      'bad_runner_reply',
      'runner_busy',
      'runner_unavailable',
      'deadline_exceeded',
    ),
  },
});

export const baseRoutes = routes()
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const bases = await c.get('ports').catalogue.bases.list(pageOf(query, (place) => place));
    return c.json(
      paged(bases, query.limit, show, ({ digest }) => digest),
      200,
    );
  })
  .openapi(upload, async (c) => {
    const { base: served, created } = await withFile(c, (file) => uploadBase(c.get('ports'), c.get('principal'), file));
    return created ? c.json(show(served), 201) : c.json(show(served), 200);
  });

/** A base is served only once a runner found nothing wrong with it. */
const NO_PROBLEMS: FormatProblem[] = [];

function show({ digest, name, size, architecture, card, createdAt }: BaseRecord) {
  return {
    name,
    digest,
    size,
    architecture,
    ...card,
    status: 'ready' as const,
    problems: NO_PROBLEMS,
    created_at: new Date(createdAt).toISOString(),
  };
}
