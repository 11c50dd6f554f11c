import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { authenticate } from '../keys/authenticate.ts';

/**
 * Whose key a login shows: the tenant is the user, its key the password. Throws `unauthorized`, the same for a wrong key
 * and for another tenant's.
 */
export async function login(
  ports: Ports,
  { username, password }: { readonly username: string; readonly password: string },
): Promise<Extract<Principal, { kind: 'tenant' }>> {
  const principal = await authenticate(ports, `Bearer ${password}`);
  if (principal.kind === 'tenant' && principal.tenant === username) return principal;
  throw new ServiceError('unauthorized', 'The key is missing, wrong, revoked or expired.');
}
