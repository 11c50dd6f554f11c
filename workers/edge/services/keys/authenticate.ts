import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { sameSecret } from '../../secrets.ts';
import { findSecret } from './find-secret.ts';

/**
 * Whose key this is, asked of the database's primary every time, so that what is revoked stops at once. Throws
 * `unauthorized`, the same for a key that is missing, wrong, revoked or expired.
 */
export async function authenticate(ports: Ports, authorization: string | undefined): Promise<Principal> {
  const shown = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(authorization ?? '')?.[1];
  if (shown === undefined) throw unauthorized();
  if (await sameSecret(shown, ports.settings.adminKey)) return { kind: 'operator' };
  const key = await findSecret(ports, ports.catalogue.keys, shown);
  if (key === null || (key.expiresAt !== null && key.expiresAt <= ports.now())) throw unauthorized();
  return { kind: 'tenant', tenant: key.tenant, keyId: key.id, scopes: key.scopes, quota: key.quota };
}

function unauthorized(): ServiceError {
  return new ServiceError('unauthorized', 'The key is missing, wrong, revoked or expired.');
}
