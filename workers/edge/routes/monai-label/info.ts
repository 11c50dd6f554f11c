import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { appInfoSchema } from '../../../../schemas/api-monai-label.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { EdgeEnv } from '../../http/context.ts';
import { describeApp } from '../../services/monai-label/info.ts';
import type { Door } from './door.ts';
import { refusals } from './replies.ts';

export function addInfo(app: OpenAPIHono<EdgeEnv>, door: Door): void {
  const info = createRoute({
    method: 'get',
    path: `${door.prefix}/info/`,
    summary: 'The models: each adapter that may be used, at its newest ready version',
    tags: ['app'],
    ...door.caller(),
    request: { params: z.object(door.params) },
    responses: {
      200: { description: 'Told', content: { 'application/json': { schema: appInfoSchema } } },
      ...refusals,
    },
  });
  const train = createRoute({
    method: 'get',
    path: `${door.prefix}/train/`,
    summary: 'That no training runs, which clients read from any status but 200',
    tags: ['app'],
    ...door.caller(),
    request: { params: z.object(door.params) },
    responses: refusals,
  });
  app.openapi(info, async (c) => c.json(await describeApp(c.get('ports'), c.get('principal')), 200));
  app.openapi(train, () => {
    throw new ServiceError('not_found', 'No training runs, and none can be started here.');
  });
}
