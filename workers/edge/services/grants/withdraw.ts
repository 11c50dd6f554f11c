import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';

/** Ends a grant with the next request. Throws `not_found` where there is none. */
export async function withdrawGrant(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
  grantee: string,
): Promise<void> {
  const entry = auditEntry(ports, principal, 'grant.delete', `${tenant}/${name}/grants/${grantee}`, { tenant });
  if (!(await ports.catalogue.grants.withdraw(tenant, name, grantee, entry))) {
    throw new ServiceError('not_found', 'There is no such grant.');
  }
}
