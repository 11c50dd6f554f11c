import type { Scope } from '../../schemas/api.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { NAME_PATTERN } from '../../schemas/names.ts';
import type { Quota } from './store/quota-store.ts';
import type { AdapterName, Viewer } from './store/words.ts';

/** Who calls: the operator with the admin key, or a tenant with one of its keys or links. */
export type Principal =
  | { readonly kind: 'operator' }
  | {
      readonly kind: 'tenant';
      readonly tenant: string;
      /** Of the key, or of the link. */
      readonly keyId: string;
      readonly by?: 'link';
      readonly scopes: readonly Scope[];
      readonly quota: Quota;
    };

/** The operator may do everything. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  return principal.kind === 'operator' || principal.scopes.includes(scope);
}

/** As the audit names who acts. */
export function actorOf(principal: Principal): string {
  return principal.kind === 'operator' ? 'operator' : `${principal.by ?? 'key'}:${principal.keyId}`;
}

/** Whose things the caller makes: its tenant's, or the operator's own (null). */
export function ownerOf(principal: Principal): string | null {
  return principal.kind === 'operator' ? null : principal.tenant;
}

export function viewerOf(principal: Principal): Viewer {
  return principal.kind === 'operator' ? principal : { kind: 'tenant', tenant: principal.tenant };
}

/** One's own name needs no tenant before it; the operator, who has none, names it in full. */
export function fullName(principal: Principal, name: string, tenant?: string): AdapterName {
  if (tenant !== undefined) return { tenant, name };
  if (principal.kind === 'tenant') return { tenant: principal.tenant, name };
  throw new ServiceError('invalid_request', `The admin key names the tenant too: tenant/${name}.`);
}

/**
 * The adapter that a caller may change under this name (`name` or `tenant/name`). Another tenant's is `not_found`,
 * whether it is there or not.
 */
export function ownName(principal: Principal, text: string): AdapterName {
  const [name = '', tenant, ...rest] = text.split('/').toReversed();
  const named = [name, tenant ?? name].every((part) => NAME_PATTERN.test(part));
  if (!named || rest.length > 0) throw new ServiceError('invalid_request', `name: expected ${NAME_PATTERN.source}.`);
  const full = fullName(principal, name, tenant);
  if (principal.kind === 'tenant' && full.tenant !== principal.tenant) throw unknownAdapter();
  return full;
}

/** The one reply for what is not there and for what the caller may not know of. */
export function unknownAdapter(): ServiceError {
  return new ServiceError('not_found', 'There is no such adapter, or none that this key may use.');
}
