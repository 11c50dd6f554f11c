import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { TenantRecord } from '../../store/tenant-store.ts';
import { auditEntry } from '../audit/entry.ts';

export async function createTenant(ports: Ports, principal: Principal, tenant: string): Promise<TenantRecord> {
  const createdAt = ports.now();
  const entry = auditEntry(ports, principal, 'tenant.create', tenant, { tenant });
  if (!(await ports.catalogue.tenants.create(tenant, createdAt, entry))) {
    throw new ServiceError('conflict', `The tenant ${tenant} is there already.`);
  }
  return { id: tenant, createdAt };
}
