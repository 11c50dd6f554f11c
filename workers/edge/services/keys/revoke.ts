import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { auditEntry } from '../audit/entry.ts';

/** The key stops working with the next request that shows it. */
export async function revokeKey(ports: Ports, tenant: string, by: Principal, id: string): Promise<void> {
  const entry = auditEntry(ports, by, 'key.revoke', id, { tenant });
  if (!(await ports.catalogue.keys.revoke(tenant, id, entry))) {
    throw new ServiceError('not_found', 'There is no such key.');
  }
}
