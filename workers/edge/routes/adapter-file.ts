import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { ServiceError } from '../../../schemas/errors.ts';
import { scope } from '../http/auth.ts';
import type { EdgeContext } from '../http/context.ts';
import { reprDigestOf } from '../http/headers.ts';
import { binary, errors, routes } from '../http/openapi.ts';
import { parseRange } from '../http/range.ts';
import { ownVersion } from '../services/adapters/own-version.ts';
import { readVersionRef, type VersionRef } from '../services/adapters/resolve.ts';
import type { VersionRecord } from '../store/version-store.ts';

const file = { 'application/octet-stream': { schema: binary } };

const get = createRoute({
  method: 'get',
  path: '/v1/adapters/{ref}/file',
  summary: "A version's file, for its owner",
  tags: ['adapters'],
  ...scope('adapters:read'),
  request: {
    params: z.object({ ref: z.string() }),
    headers: z.object({
      range: z.string().optional().meta({ example: 'bytes=0-1023' }),
      'if-none-match': z.string().optional(),
      'if-range': z.string().optional(),
    }),
  },
  responses: {
    200: { description: 'The file; its ETag never changes', content: file },
    206: { description: 'One range of it', content: file },
    304: { description: 'The caller has it' },
    ...errors(
      'invalid_request',
      'unauthorized',
      'forbidden',
      'not_found',
      'adapter_not_ready',
      'range_not_satisfiable',
      'internal',
    ),
  },
});

export const adapterFileRoutes = routes().openapi(get, async (c) => {
  const ref = readVersionRef(c.req.valid('param').ref);
  const version = await ownVersion(c.get('ports'), c.get('principal'), ref);
  const headers = fileHeaders(version, ref);
  if (isFresh(c.req.header('if-none-match'), headers.etag)) return new Response(null, { status: 304, headers });
  const range = rangeOf(c, version, headers.etag);
  const object = await c.get('ports').blobs.open(version.digest, range ?? undefined);
  if (object === null) throw new Error('a file of the catalogue is not in the bucket');
  const body = { ...headers, 'content-type': 'application/octet-stream' };
  if (range === null) {
    return new Response(object.body, { headers: { ...body, 'content-length': String(version.size) } });
  }
  const { offset, length } = range;
  const contentRange = `bytes ${offset}-${offset + length - 1}/${version.size}`;
  return new Response(object.body, {
    status: 206,
    headers: { ...body, 'content-length': String(length), 'content-range': contentRange },
  });
});

function fileHeaders({ name, version, digest }: VersionRecord, ref: VersionRef) {
  // What a version number or digest names stays the same for ever; what `latest` or an alias names does not.
  const forever = ref.kind === 'digest' || ref.selector.kind === 'version';
  return {
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    'cache-control': forever ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    'content-disposition': `attachment; filename="${name}-${version}.safetensors"`,
    'repr-digest': reprDigestOf(digest),
  };
}

function isFresh(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(etag) || known.includes('*');
}

function rangeOf(c: EdgeContext, { size }: VersionRecord, etag: string) {
  const ifRange = c.req.header('if-range');
  if (ifRange !== undefined && ifRange !== etag) return null;
  try {
    return parseRange(c.req.header('range'), size);
  } catch (error) {
    if (error instanceof ServiceError) c.header('content-range', `bytes */${size}`);
    throw error;
  }
}
