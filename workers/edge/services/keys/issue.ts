import type { Scope } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { hasScope, type Principal } from '../../principal.ts';
import { hmacHex, randomHex } from '../../secrets.ts';

const KEY_PREFIX = 'pdora_';
const KEY_BYTES = 32;
const ID_BYTES = 8;

/** A key that is being made: the one copy of itself, and what is kept of it. */
export interface IssuedKey {
  readonly id: string;
  readonly key: string;
  readonly hash: string;
}

export async function issueKey(ports: Ports): Promise<IssuedKey> {
  const key = KEY_PREFIX + randomHex(KEY_BYTES);
  return { id: randomHex(ID_BYTES), key, hash: await hmacHex(ports.settings.keyPepper, key) };
}

/** Throws `forbidden` where the issuer lacks one of the scopes of a key it would make. */
export function requireScopes(issuer: Principal, scopes: readonly Scope[]): void {
  const lacking = scopes.filter((scope) => !hasScope(issuer, scope));
  if (lacking.length > 0) {
    throw new ServiceError('forbidden', `A key cannot issue scopes that it lacks: ${lacking.join(', ')}.`);
  }
}
