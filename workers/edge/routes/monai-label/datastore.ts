import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { datastoreSchema, imageIdQuerySchema } from '../../../../schemas/api-monai-label.ts';
import { IMAGE_KEPT_SECONDS } from '../../../../schemas/limits.ts';
import type { EdgeContext, EdgeEnv } from '../../http/context.ts';
import { binary } from '../../http/openapi.ts';
import { ownerOf } from '../../principal.ts';
import { stemOf } from '../../services/monai-label/file-name.ts';
import { findImage, openImage } from '../../services/monai-label/find-image.ts';
import { keepImage } from '../../services/monai-label/keep-image.ts';
import { removeImage } from '../../services/monai-label/remove-image.ts';
import type { Door } from './door.ts';
import { imageReply } from './image-reply.ts';
import { withFile } from './incoming.ts';
import { bodyRefusals, refusals } from './replies.ts';

const tags = ['datastore'];
const imageSchema = z.object({ image: z.string() });

/** Images that a client leaves for a day under names of its own. */
export function addDatastore(app: OpenAPIHono<EdgeEnv>, door: Door): void {
  const params = z.object(door.params);
  const list = createRoute({
    method: 'get',
    path: `${door.prefix}/datastore/`,
    summary: 'How many images are there',
    tags,
    ...door.caller(),
    request: { params },
    responses: {
      200: { description: 'Told', content: { 'application/json': { schema: datastoreSchema } } },
      ...refusals,
    },
  });
  // Clients use the first, MONAI Label's own page the second.
  const [put, putImage] = (['', 'image'] as const).map((path) =>
    createRoute({
      method: 'put',
      path: `${door.prefix}/datastore/${path}`,
      summary: 'Leave an image under a name; fields come before the file',
      tags,
      ...door.caller(),
      request: {
        params,
        query: imageIdQuerySchema,
        body: {
          required: true,
          content: { 'multipart/form-data': { schema: { type: 'object', properties: { file: binary } } } },
        },
      },
      responses: {
        200: { description: 'Kept', content: { 'application/json': { schema: imageSchema } } },
        ...refusals,
        ...bodyRefusals,
      },
    }),
  );
  const get = createRoute({
    method: 'get',
    path: `${door.prefix}/datastore/image`,
    summary: 'An image',
    tags,
    ...door.caller(),
    request: { params, query: imageIdQuerySchema },
    responses: {
      200: { description: 'There', content: { 'application/octet-stream': { schema: binary } } },
      ...refusals,
    },
  });
  const remove = createRoute({
    method: 'delete',
    path: `${door.prefix}/datastore/image`,
    summary: 'Take an image away',
    tags,
    ...door.caller(),
    request: { params, query: z.object({ id: z.string().max(1024) }) },
    responses: { 200: { description: 'Gone', content: { 'application/json': { schema: z.object({}) } } }, ...refusals },
  });

  app.openapi(list, async (c) => {
    const ports = c.get('ports');
    const total = await ports.catalogue.images.count(ownerOf(c.get('principal')), ports.now());
    return c.json({ total, completed: 0, objects: {} }, 200);
  });
  for (const route of [put, putImage]) {
    if (route !== undefined) app.openapi(route, async (c) => c.json(await keep(c, c.req.valid('query').image), 200));
  }
  app.openapi(get, async (c) => {
    const image = await findImage(c.get('ports'), c.get('principal'), c.req.valid('query').image);
    return imageReply(image, await openImage(c.get('ports'), image));
  });
  app.openapi(remove, async (c) => {
    const image = await findImage(c.get('ports'), c.get('principal'), c.req.valid('query').id);
    await removeImage(c.get('ports'), c.get('principal'), image);
    return c.json({}, 200);
  });
}

async function keep(c: EdgeContext, wanted: string): Promise<{ image: string }> {
  return await withFile(c, 'file', async (file) => {
    const name = wanted === '' ? stemOf(file.filename) : wanted;
    await keepImage(c.get('ports'), c.get('principal'), file, { name, seconds: IMAGE_KEPT_SECONDS });
    return { image: name };
  });
}
