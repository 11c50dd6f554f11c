import type { Scope } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { KeyRecord } from '../../store/key-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { issueKey, requireScopes } from './issue.ts';

export interface NewKey {
  readonly name: string;
  readonly scopes: Scope[];
  /** ISO 8601. */
  readonly expires_at?: string | undefined;
}

/**
 * Makes a key of the tenant and answers it with the one copy of the key itself. Throws `forbidden` where the issuer
 * lacks one of the scopes, `not_found` where the tenant is not there.
 */
export async function createKey(
  ports: Ports,
  tenant: string,
  issuer: Principal,
  input: NewKey,
): Promise<KeyRecord & { readonly key: string }> {
  requireScopes(issuer, input.scopes);
  const now = ports.now();
  const expiresAt = input.expires_at === undefined ? null : Date.parse(input.expires_at);
  if (expiresAt !== null && expiresAt <= now) {
    throw new ServiceError('invalid_request', 'expires_at: expected a time to come.');
  }
  const { id, key, hash } = await issueKey(ports);
  const record: KeyRecord = { id, name: input.name, scopes: input.scopes, createdAt: now, expiresAt };
  const entry = auditEntry(ports, issuer, 'key.create', id, { tenant });
  if (!(await ports.catalogue.keys.create(tenant, { ...record, hash }, entry))) {
    throw new ServiceError('not_found', 'There is no such tenant.');
  }
  return { ...record, key };
}
