import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { TenantRecord } from '../../store/catalogue.ts';

export async function createTenant(ports: Ports, tenant: string): Promise<TenantRecord> {
  const createdAt = ports.now();
  if (!(await ports.catalogue.tenants.create(tenant, createdAt))) {
    throw new ServiceError('conflict', `The tenant ${tenant} is there already.`);
  }
  return { id: tenant, createdAt };
}
