import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { EdgeEnv } from '../../http/context.ts';
import { DOCUMENT, KEY_SCHEME, routes } from '../../http/openapi.ts';
import { addAuth } from './auth.ts';
import { addDatastore } from './datastore.ts';
import { keyDoor, linkDoor } from './door.ts';
import { addInfer } from './infer.ts';
import { addInfo } from './info.ts';
import { detailReply } from './replies.ts';
import { addSession } from './session.ts';

/**
 * Once it has logged in, MONAI Label's Python client promises with every call the body of an earlier one. Who waits for
 * it waits for ever.
 */
const unheard = createMiddleware<EdgeEnv>(async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'DELETE') await c.req.raw.body?.cancel();
  await next();
});

/** What a link's path holds must go no further, and what comes through it is a patient's. */
const discreet = createMiddleware<EdgeEnv>(async (c, next) => {
  await next();
  c.header('referrer-policy', 'no-referrer');
  c.header('cache-control', 'no-store');
});

/**
 * MONAI Label's API, as far as 3D Slicer and its Python client need it. It has its own errors and its own document, at
 * `/monailabel/openapi.json`.
 */
const monaiLabel = routes();
monaiLabel.onError(detailReply);
monaiLabel.use('/monailabel/*', discreet, unheard);
addAuth(monaiLabel);
for (const door of [keyDoor, linkDoor]) {
  addInfo(monaiLabel, door);
  addSession(monaiLabel, door);
  addDatastore(monaiLabel, door);
  addInfer(monaiLabel, door);
}
monaiLabel.openAPIRegistry.registerComponent('securitySchemes', 'key', KEY_SCHEME);
monaiLabel.doc31('/monailabel/openapi.json', {
  ...DOCUMENT,
  info: {
    ...DOCUMENT.info,
    title: "PDoRA Serve: MONAI Label's API",
    description: 'For 3D Slicer and the Python client of MONAI Label. Every adapter that may be used is a model.',
  },
});
monaiLabel.all('/monailabel/*', () => {
  throw new ServiceError('not_found', "There is no such path, or it is one of MONAI Label's that is not served here.");
});

/** Without its document, which a plain router does not pass on. */
export const monaiLabelRoutes = new Hono<EdgeEnv>().route('/', monaiLabel);
