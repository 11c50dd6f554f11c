import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  sessionCreatedSchema,
  sessionCreateQuerySchema,
  sessionInfoSchema,
  sessionQuerySchema,
} from '../../../../schemas/api-monai-label.ts';
import type { EdgeEnv } from '../../http/context.ts';
import { binary } from '../../http/openapi.ts';
import { findSession, openImage } from '../../services/monai-label/find-image.ts';
import { keepImage } from '../../services/monai-label/keep-image.ts';
import { removeImage } from '../../services/monai-label/remove-image.ts';
import type { ImageRecord } from '../../store/image-store.ts';
import type { Door } from './door.ts';
import { imageReply } from './image-reply.ts';
import { withFile } from './incoming.ts';
import { bodyRefusals, refusals } from './replies.ts';

const tags = ['session'];
const info = { 'application/json': { schema: sessionInfoSchema } };

/** Images that a client leaves for a while, each known by an id of ours. */
export function addSession(app: OpenAPIHono<EdgeEnv>, door: Door): void {
  const params = z.object({ ...door.params, id: z.string().max(64) });
  const create = createRoute({
    method: 'put',
    path: `${door.prefix}/session/`,
    summary: 'Leave an image for later calls; fields come before the file, of which there is one',
    tags,
    ...door.caller(),
    request: {
      params: z.object(door.params),
      query: sessionCreateQuerySchema,
      body: {
        required: true,
        content: { 'multipart/form-data': { schema: { type: 'object', properties: { files: binary } } } },
      },
    },
    responses: {
      200: { description: 'Kept', content: { 'application/json': { schema: sessionCreatedSchema } } },
      ...refusals,
      ...bodyRefusals,
    },
  });
  const get = createRoute({
    method: 'get',
    path: `${door.prefix}/session/{id}`,
    summary: 'A session, or its image',
    tags,
    ...door.caller(),
    request: { params, query: sessionQuerySchema },
    responses: {
      200: { description: 'There', content: { ...info, 'application/octet-stream': { schema: binary } } },
      ...refusals,
    },
  });
  const remove = createRoute({
    method: 'delete',
    path: `${door.prefix}/session/{id}`,
    summary: 'Take a session away with its image',
    tags,
    ...door.caller(),
    request: { params },
    responses: { 200: { description: 'Gone', content: info }, ...refusals },
  });

  app.openapi(create, async (c) => {
    const { expiry: seconds } = c.req.valid('query');
    const kept = await withFile(c, 'files', (file) =>
      keepImage(c.get('ports'), c.get('principal'), file, { name: null, seconds }),
    );
    return c.json({ session_id: kept.id, session_info: show(kept) }, 200);
  });
  app.openapi(get, async (c) => {
    const [ports, { update_ts: touch, image }] = [c.get('ports'), c.req.valid('query')];
    const session = await findSession(ports, c.get('principal'), c.req.valid('param').id);
    if (image) return imageReply(session, await openImage(ports, session));
    if (touch) await ports.catalogue.images.use(session.id, ports.now());
    return c.json(show(session), 200);
  });
  app.openapi(remove, async (c) => {
    const [ports, principal] = [c.get('ports'), c.get('principal')];
    const session = await findSession(ports, principal, c.req.valid('param').id);
    await removeImage(ports, principal, session);
    return c.json(show(session), 200);
  });
}

/** Where the file lies is ours to know, and what the client called it is not kept. */
function show({ id, extension, createdAt, usedAt, keptMs }: ImageRecord) {
  return {
    name: id,
    path: '',
    image: `image${extension}`,
    meta: {},
    create_ts: Math.floor(createdAt / 1000),
    last_access_ts: Math.floor(usedAt / 1000),
    expiry: keptMs / 1000,
  };
}
