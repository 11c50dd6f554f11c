import { createMiddleware } from 'hono/factory';
import type { Scope } from '../../../schemas/api.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { hasScope, type Principal } from '../principal.ts';
import { authenticate } from '../services/keys/authenticate.ts';
import type { EdgeContext, EdgeEnv } from './context.ts';
import { withinLimits } from './limits.ts';

/** Spread into a route: who may call it, for the document and for the request alike. */
export const everyone = { security: [] };

/** The admin key alone. */
export const operator = needs(['admin'], (principal) => principal.kind === 'operator');

/** A key with one of the scopes, or the admin key. */
export function oneScope(...wanted: readonly [Scope, ...Scope[]]) {
  return needs(wanted, (principal) => wanted.some((one) => hasScope(principal, one)));
}

/**
 * A key with the scope, or the admin key. A call that `runSeconds` gives a number is a segmentation of at most so many
 * seconds, and counts among those the tenant has at once.
 */
export function scope(wanted: Scope, runSeconds?: (c: EdgeContext) => number | null) {
  return needs([wanted], (principal) => hasScope(principal, wanted), runSeconds);
}

/**
 * The admin key, or a key of the tenant in the path with `tenant:admin`. Of another tenant it learns no more than of
 * one that is not there.
 */
export const tenantAdmin = needs(['tenant:admin'], (principal, tenant) => {
  if (!hasScope(principal, 'tenant:admin')) return false;
  if (principal.kind === 'tenant' && principal.tenant !== tenant) {
    throw new ServiceError('not_found', 'There is no such tenant.');
  }
  return true;
});

function needs(
  oneOf: readonly (Scope | 'admin')[],
  allows: (principal: Principal, tenant: string | undefined) => boolean,
  runSeconds: (c: EdgeContext) => number | null = () => null,
) {
  const check = createMiddleware<EdgeEnv>(async (c, next) => {
    const principal = await authenticate(c.get('ports'), c.req.header('authorization'));
    await withinLimits(c, principal, runSeconds(c), async () => {
      if (!allows(principal, c.req.param('tenant'))) {
        throw new ServiceError('forbidden', `This key lacks the scope ${oneOf.join(' or ')}.`);
      }
      c.set('principal', principal);
      await next();
    });
  });
  return { security: oneOf.map((what) => ({ key: [what] })), middleware: check };
}
