import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  adapterSchema,
  adapterSummarySchema,
  pageQuerySchema,
  pageOf as pageSchema,
  versionCreatedSchema,
} from '../../../schemas/api.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { NAME_PATTERN } from '../../../schemas/names.ts';
import { scope } from '../http/auth.ts';
import { withFile } from '../http/incoming-file.ts';
import { errors, fileBody, routes } from '../http/openapi.ts';
import { paged, pageOf } from '../http/paging.ts';
import { ownName, viewerOf } from '../principal.ts';
import { removeAdapter, removeVersion } from '../services/adapters/remove.ts';
import { readVersionRef } from '../services/adapters/resolve.ts';
import { showAdapter } from '../services/adapters/show.ts';
import { uploadVersion } from '../services/adapters/upload.ts';
import type { IncomingFile } from '../services/files/receive.ts';
import { nameParam } from './name-param.ts';
import { showAdapterRecord, showSummary } from './show-adapter.ts';

const tags = ['adapters'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'internal'] as const;
const refParam = z
  .string()
  .meta({ description: 'name, name@3, name@alias, tenant/name… or sha256:…, percent-encoded' });
const version = { 'application/json': { schema: versionCreatedSchema } };

const upload = createRoute({
  method: 'post',
  path: '/v1/adapters/{name}/versions',
  summary: 'Upload a version; the body is its file, or names an upload; a runner verifies it after the reply',
  tags,
  ...scope('adapters:write'),
  request: {
    params: z.object({ name: nameParam }),
    headers: z.object({ 'repr-digest': z.string().optional().meta({ example: 'sha-256=:…:' }) }),
    body: fileBody,
  },
  responses: {
    200: { description: 'These bytes are this version already', content: version },
    201: { description: 'A new version, not yet verified', content: version },
    ...errors(...common, 'not_found', 'conflict', 'length_required', 'too_large', 'invalid_adapter', 'quota_exceeded'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/adapters',
  summary: "The tenant's own adapters, those granted to it, and public ones",
  tags,
  ...scope('adapters:read'),
  request: { query: pageQuerySchema },
  responses: {
    200: {
      description: 'By tenant and name',
      content: { 'application/json': { schema: pageSchema(adapterSummarySchema) } },
    },
    ...errors(...common),
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/adapters/{ref}',
  summary: 'An adapter: what it does, its versions with status and problems, its aliases',
  tags,
  ...scope('adapters:read'),
  request: { params: z.object({ ref: refParam }) },
  responses: {
    200: { description: 'Found, ready or not', content: { 'application/json': { schema: adapterSchema } } },
    ...errors(...common, 'not_found'),
  },
});

const removeOne = createRoute({
  method: 'delete',
  path: '/v1/adapters/{name}/versions/{version}',
  summary: 'Delete a version; its number is never used again',
  tags,
  ...scope('adapters:write'),
  request: {
    params: z.object({ name: nameParam, version: z.string().regex(/^[1-9][0-9]{0,14}$/, 'expected a number') }),
  },
  responses: { 204: { description: 'Deleted' }, ...errors(...common, 'not_found', 'in_use') },
});

const removeAll = createRoute({
  method: 'delete',
  path: '/v1/adapters/{name}',
  summary: 'Delete an adapter with all its versions',
  tags,
  ...scope('adapters:write'),
  request: { params: z.object({ name: nameParam }) },
  responses: { 204: { description: 'Deleted' }, ...errors(...common, 'not_found', 'in_use') },
});

export const adapterRoutes = routes()
  .openapi(upload, async (c) => {
    const adapter = ownName(c.get('principal'), c.req.valid('param').name);
    const make = (file: IncomingFile) => uploadVersion(c.get('ports'), c.get('principal'), adapter, file);
    const { created, ...uploaded } = await withFile(c, make);
    const shown = { adapter: `${adapter.tenant}/${adapter.name}`, ...uploaded };
    return created ? c.json(shown, 201) : c.json(shown, 200);
  })
  .openapi(list, async (c) => {
    const query = c.req.valid('query');
    const page = pageOf(query, parsePlace);
    const adapters = await c.get('ports').catalogue.adapters.list(viewerOf(c.get('principal')), page);
    return c.json(
      paged(adapters, query.limit, showSummary, ({ tenant, name }) => `${tenant}/${name}`),
      200,
    );
  })
  .openapi(get, async (c) => {
    const shown = await showAdapter(c.get('ports'), c.get('principal'), readVersionRef(c.req.valid('param').ref));
    return c.json(showAdapterRecord(shown), 200);
  })
  .openapi(removeOne, async (c) => {
    const adapter = ownName(c.get('principal'), c.req.valid('param').name);
    await removeVersion(c.get('ports'), c.get('principal'), adapter, Number(c.req.valid('param').version));
    return c.body(null, 204);
  })
  .openapi(removeAll, async (c) => {
    const adapter = ownName(c.get('principal'), c.req.valid('param').name);
    await removeAdapter(c.get('ports'), c.get('principal'), adapter);
    return c.body(null, 204);
  });

function parsePlace(place: string): { tenant: string; name: string } {
  const [tenant = '', name = '', ...rest] = place.split('/');
  if (rest.length > 0 || !NAME_PATTERN.test(tenant) || !NAME_PATTERN.test(name)) {
    throw new ServiceError('invalid_request', 'cursor: expected what next_cursor said.');
  }
  return { tenant, name };
}
