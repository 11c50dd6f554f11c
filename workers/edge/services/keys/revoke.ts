import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';

/** The key stops working with the next request that shows it. */
export async function revokeKey(ports: Ports, tenant: string, id: string): Promise<void> {
  if (!(await ports.catalogue.keys.revoke(tenant, id))) throw new ServiceError('not_found', 'There is no such key.');
}
