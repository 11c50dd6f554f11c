import type { Scope } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { hasScope, type Principal } from '../../principal.ts';
import { hmacHex, randomHex } from '../../secrets.ts';
import type { KeyRecord } from '../../store/catalogue.ts';

const KEY_PREFIX = 'pdora_';
const KEY_BYTES = 32;
const ID_BYTES = 8;

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
  const lacking = input.scopes.filter((scope) => !hasScope(issuer, scope));
  if (lacking.length > 0) {
    throw new ServiceError('forbidden', `A key cannot issue scopes that it lacks: ${lacking.join(', ')}.`);
  }
  const now = ports.now();
  const expiresAt = input.expires_at === undefined ? null : Date.parse(input.expires_at);
  if (expiresAt !== null && expiresAt <= now) {
    throw new ServiceError('invalid_request', 'expires_at: expected a time to come.');
  }
  const key = KEY_PREFIX + randomHex(KEY_BYTES);
  const record: KeyRecord = {
    id: randomHex(ID_BYTES),
    name: input.name,
    scopes: input.scopes,
    createdAt: now,
    expiresAt,
  };
  const hash = await hmacHex(ports.settings.keyPepper, key);
  if (!(await ports.catalogue.keys.create(tenant, { ...record, hash }))) {
    throw new ServiceError('not_found', 'There is no such tenant.');
  }
  return { ...record, key };
}
