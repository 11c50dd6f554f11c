import { createRoute } from '@hono/zod-openapi';
import { every } from 'hono/combine';
import { z } from 'zod';
import { uploadCompletedSchema, uploadCreateSchema, uploadSchema } from '../../../schemas/api-uploads.ts';
import { UPLOAD_PART_BYTES } from '../../../schemas/limits.ts';
import type { EdgeContext } from '../http/context.ts';
import { contentLength } from '../http/headers.ts';
import { idempotencyHeader, idempotencyKey } from '../http/idempotency.ts';
import { smallJson } from '../http/middleware.ts';
import { binary, errors, routes } from '../http/openapi.ts';
import { uploader, uploadStep } from '../http/upload-auth.ts';
import { ownerOf } from '../principal.ts';
import { fingerprintOf } from '../services/idempotency/fingerprint.ts';
import { once } from '../services/idempotency/once.ts';
import { completeUpload } from '../services/uploads/complete.ts';
import { createUpload } from '../services/uploads/create.ts';
import { ownUpload } from '../services/uploads/find.ts';
import { partSizes } from '../services/uploads/parts.ts';
import { putPart } from '../services/uploads/put-part.ts';
import { removeUpload } from '../services/uploads/remove.ts';
import { signedUrls } from '../services/uploads/sign.ts';
import type { UploadRecord } from '../store/upload-store.ts';

const tags = ['uploads'];
const common = ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'internal'] as const;
const idParam = z.object({ id: z.string().max(64) });
const signatureQuery = z.object({
  expires: z.string().optional().meta({ description: 'Seconds since 1970' }),
  signature: z.string().optional().meta({ description: 'In place of a key, as the URL came' }),
});
const upload = { 'application/json': { schema: uploadSchema } };

const create = createRoute({
  method: 'post',
  path: '/v1/uploads',
  summary: 'Begin an upload in parts, for what is too large for one request',
  description:
    'PUT every part at its URL, in any order and at once, then POST to `complete`. The URLs are signed: they need no key, and hold until the upload expires, is used, or the key that asked is revoked.',
  tags,
  ...uploader,
  middleware: every(uploader.middleware, smallJson),
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: uploadCreateSchema } } },
  },
  responses: {
    201: { description: 'Begun', content: upload },
    ...errors(...common, 'conflict', 'length_required', 'too_large', 'idempotency_mismatch', 'quota_exceeded'),
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}',
  summary: 'An upload: which parts are there, and where the others go',
  tags,
  ...uploader,
  request: { params: idParam },
  responses: { 200: { description: 'Under way or complete', content: upload }, ...errors(...common) },
});

const put = createRoute({
  method: 'put',
  path: '/v1/uploads/{id}/parts/{part}',
  summary: 'Send a part; sent again, it takes the place of the earlier one',
  tags,
  ...uploadStep((c) => Number(c.req.param('part'))),
  request: {
    params: idParam.extend({ part: z.string().regex(/^[1-9][0-9]{0,4}$/, 'expected a number') }),
    query: signatureQuery,
    body: { required: true, content: { 'application/octet-stream': { schema: binary } } },
  },
  responses: {
    204: { description: 'Received' },
    ...errors(...common, 'conflict', 'length_required', 'too_large'),
  },
});

const complete = createRoute({
  method: 'post',
  path: '/v1/uploads/{id}/complete',
  summary: 'Put the parts together; once more is the same',
  tags,
  ...uploadStep(() => 'complete'),
  request: { params: idParam, query: signatureQuery },
  responses: {
    200: {
      description: 'Whole, with the promised digest',
      content: { 'application/json': { schema: uploadCompletedSchema } },
    },
    ...errors(...common, 'conflict'),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/uploads/{id}',
  summary: 'Delete an upload, complete or not',
  tags,
  ...uploader,
  request: { params: idParam },
  responses: { 204: { description: 'Deleted' }, ...errors(...common, 'in_use') },
});

export const uploadRoutes = routes()
  .openapi(create, async (c) => {
    const [ports, principal, input] = [c.get('ports'), c.get('principal'), c.req.valid('json')];
    const content = `${input.size} ${input.sha256}`;
    const begun = await once(ports, principal, {
      key: idempotencyKey(c.req),
      fingerprint: fingerprintOf({ method: c.req.method, url: c.req.url, length: content.length, content }),
      resource: crypto.randomUUID(),
      make: (id) => createUpload(ports, principal, id, input),
      find: (id) => ports.catalogue.uploads.find(ownerOf(principal), id),
    });
    return c.json(await show(c, begun), 201);
  })
  .openapi(get, async (c) => {
    const found = await ownUpload(c.get('ports'), c.get('principal'), c.req.valid('param').id);
    return c.json(await show(c, found), 200);
  })
  .openapi(put, async (c) => {
    const length = contentLength(c.req, UPLOAD_PART_BYTES);
    const part = Number(c.req.valid('param').part);
    await putPart(c.get('ports'), c.get('upload'), { part, body: c.req.raw.body, length });
    return c.body(null, 204);
  })
  .openapi(complete, async (c) => {
    const { id, size, digest } = c.get('upload');
    await completeUpload(c.get('ports'), c.get('upload'));
    return c.json({ id, size, sha256: digest }, 200);
  })
  .openapi(remove, async (c) => {
    await removeUpload(c.get('ports'), c.get('principal'), c.req.valid('param').id);
    return c.body(null, 204);
  });

async function show(c: EdgeContext, record: UploadRecord) {
  const { id, size, digest, completedAt, expiresAt } = record;
  const ports = c.get('ports');
  const [urls, there] = await Promise.all([
    signedUrls(ports, new URL(c.req.url).origin, record),
    ports.catalogue.uploads.parts(id),
  ]);
  const received = new Set(there.map(({ part }) => part));
  const parts = partSizes(size).map((bytes, i) => ({
    url: urls.parts[i] ?? '',
    size: bytes,
    received: received.has(i + 1),
  }));
  return {
    id,
    size,
    sha256: digest,
    parts,
    complete: urls.complete,
    completed_at: completedAt === null ? null : new Date(completedAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
  };
}
