import { createMiddleware } from 'hono/factory';
import { z } from 'zod';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { EdgeContext, EdgeEnv } from '../../http/context.ts';
import { withinLimits } from '../../http/limits.ts';
import { hasScope, type Principal } from '../../principal.ts';
import { authenticate } from '../../services/keys/authenticate.ts';
import { followLink } from '../../services/links/follow.ts';

/** A way in: the same calls stand behind each. */
export interface Door {
  readonly prefix: string;
  /** Parameters of the prefix. */
  readonly params: z.ZodRawShape;
  /** Spread into a route. A call of `runSeconds` counts among the segmentations that the tenant has at once. */
  caller(runSeconds?: number): ReturnType<typeof callerBy>;
}

/** With a key, as everywhere. */
export const keyDoor: Door = {
  prefix: '/monailabel',
  params: {},
  caller: (runSeconds) =>
    callerBy([{ key: ['segment'] }], (c) => authenticate(c.get('ports'), c.req.header('authorization')), runSeconds),
};

/** For clients that can show no key: the path says who calls. */
export const linkDoor: Door = {
  prefix: '/monailabel/t/{token}',
  params: { token: z.string().meta({ description: 'Of a link; it stands in place of a key' }) },
  caller: (runSeconds) => callerBy([], (c) => followLink(c.get('ports'), c.req.param('token') ?? ''), runSeconds),
};

function callerBy(
  security: { key: string[] }[],
  principalOf: (c: EdgeContext) => Promise<Principal>,
  runSeconds: number | null = null,
) {
  const middleware = createMiddleware<EdgeEnv>(async (c, next) => {
    const principal = await principalOf(c);
    await withinLimits(c, principal, runSeconds, async () => {
      if (!hasScope(principal, 'segment')) throw new ServiceError('forbidden', 'This key lacks the scope segment.');
      c.set('principal', principal);
      await next();
    });
  });
  return { security, middleware };
}
