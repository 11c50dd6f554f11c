import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { authSchema, loggedInSchema, loginSchema, userSchema } from '../../../../schemas/api-monai-label.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { everyone } from '../../http/auth.ts';
import type { EdgeEnv } from '../../http/context.ts';
import { withinLimits } from '../../http/limits.ts';
import { smallJson } from '../../http/middleware.ts';
import { login } from '../../services/monai-label/login.ts';
import { keyDoor } from './door.ts';
import { bodyRefusals, refusals } from './replies.ts';

const tags = ['auth'];
const { prefix } = keyDoor;

const show = createRoute({
  method: 'get',
  path: `${prefix}/auth/`,
  summary: 'That a login is needed',
  tags,
  ...everyone,
  responses: { 200: { description: 'Needed', content: { 'application/json': { schema: authSchema } } } },
});

const token = createRoute({
  method: 'post',
  path: `${prefix}/auth/token`,
  summary: 'Log in with a tenant and one of its keys; the token is the key itself',
  tags,
  ...everyone,
  middleware: smallJson,
  request: { body: { required: true, content: { 'application/x-www-form-urlencoded': { schema: loginSchema } } } },
  responses: {
    200: { description: 'Logged in', content: { 'application/json': { schema: loggedInSchema } } },
    ...refusals,
    ...bodyRefusals,
  },
});

const valid = createRoute({
  method: 'get',
  path: `${prefix}/auth/token/valid`,
  summary: 'Whether the token still works',
  tags,
  ...keyDoor.caller(),
  responses: { 200: { description: 'It does', content: { 'application/json': { schema: userSchema } } }, ...refusals },
});

/** Only where a key is needed: behind a link there is no login, and clients ask for none where there is no such path. */
export function addAuth(app: OpenAPIHono<EdgeEnv>): void {
  app.openapi(show, (c) => c.json({ enabled: true, client_id: 'pdora-serve', realm: 'pdora-serve' }, 200));
  app.openapi(token, async (c) => {
    const { username, password } = c.req.valid('form');
    const principal = await login(c.get('ports'), { username, password });
    await withinLimits(c, principal, null, async () => {
      if (!principal.scopes.includes('segment')) {
        throw new ServiceError('forbidden', 'This key lacks the scope segment.');
      }
    });
    return c.json({ access_token: password, token_type: 'bearer' as const }, 200);
  });
  app.openapi(valid, (c) => {
    const principal = c.get('principal');
    const name = principal.kind === 'tenant' ? principal.tenant : principal.kind;
    return c.json({ username: name, email: '', name, roles: ['monailabel-user'] }, 200);
  });
}
