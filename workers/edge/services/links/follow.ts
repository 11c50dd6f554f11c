import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { findSecret } from '../keys/find-secret.ts';
import { LINK_PREFIX } from './issue.ts';

/**
 * Whose link this token is of, asked anew every time as of a key. Throws `unauthorized`, the same for one that is wrong,
 * revoked or expired.
 */
export async function followLink(ports: Ports, token: string): Promise<Principal> {
  const shaped = token.startsWith(LINK_PREFIX) && token.length <= 256;
  const link = shaped ? await findSecret(ports, ports.catalogue.links, token) : null;
  if (link === null || link.expiresAt <= ports.now()) {
    throw new ServiceError('unauthorized', 'The link is wrong, revoked or expired.');
  }
  return {
    kind: 'tenant',
    tenant: link.tenant,
    keyId: link.id,
    by: 'link',
    scopes: ['segment'],
    quota: link.quota,
  };
}
