import { EVERYONE } from '../../../../schemas/api-sharing.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';

/**
 * Lets another tenant, or everyone, use an adapter and see what it is; never its file. A tenant that is not there is
 * granted to all the same, so that nobody learns who is. Throws `forbidden` where the operator allows no public
 * adapters, `not_found` where there is no such adapter.
 */
export async function giveGrant(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
  grantee: string,
): Promise<void> {
  if (grantee === tenant) throw new ServiceError('invalid_request', 'tenant: expected another than the owner.');
  if (grantee === EVERYONE && !ports.settings.publicAdapters) {
    throw new ServiceError('forbidden', 'The operator of this service does not allow adapters for everyone.');
  }
  const entry = auditEntry(ports, principal, 'grant.create', `${tenant}/${name}/grants/${grantee}`, { tenant });
  if (!(await ports.catalogue.grants.give(tenant, name, grantee, entry))) throw unknownAdapter();
}
