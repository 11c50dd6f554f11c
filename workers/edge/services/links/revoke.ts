import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { auditEntry } from '../audit/entry.ts';

/** The link stops working with the next request that goes through it. */
export async function revokeLink(ports: Ports, tenant: string, by: Principal, id: string): Promise<void> {
  const entry = auditEntry(ports, by, 'link.revoke', id, { tenant });
  if (!(await ports.catalogue.links.revoke(tenant, id, entry))) {
    throw new ServiceError('not_found', 'There is no such link.');
  }
}
