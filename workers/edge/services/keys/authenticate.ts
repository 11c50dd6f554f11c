import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { hmacHex, sameSecret } from '../../secrets.ts';
import type { FoundKey } from '../../store/key-store.ts';

/**
 * Whose key this is, asked of the database's primary every time, so that what is revoked stops at once. Throws
 * `unauthorized`, the same for a key that is missing, wrong, revoked or expired.
 */
export async function authenticate(ports: Ports, authorization: string | undefined): Promise<Principal> {
  const shown = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(authorization ?? '')?.[1];
  if (shown === undefined) throw unauthorized();
  if (await sameSecret(shown, ports.settings.adminKey)) return { kind: 'operator' };
  const key = await findKey(ports, shown);
  if (key === null || (key.expiresAt !== null && key.expiresAt <= ports.now())) throw unauthorized();
  return { kind: 'tenant', tenant: key.tenant, keyId: key.id, scopes: key.scopes, quota: key.quota };
}

/** A key that is still kept under the previous pepper is kept under the present one from now on. */
async function findKey(ports: Ports, shown: string): Promise<FoundKey | null> {
  const { keys } = ports.catalogue;
  const { keyPepper, previousKeyPepper } = ports.settings;
  const hash = await hmacHex(keyPepper, shown);
  if (previousKeyPepper === null) return keys.findByHash([hash]);
  const key = await keys.findByHash([hash, await hmacHex(previousKeyPepper, shown)]);
  if (key !== null && key.hash !== hash) ports.later(keys.rehash(key.hash, hash));
  return key;
}

function unauthorized(): ServiceError {
  return new ServiceError('unauthorized', 'The key is missing, wrong, revoked or expired.');
}
