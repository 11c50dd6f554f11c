import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { overJobs, overStorage } from './errors.ts';

type Tenant = Extract<Principal, { kind: 'tenant' }>;

/** What a tenant may still store and queue, before its body is taken in; the inserting statement has the last word. */

/** Throws `quota_exceeded` where the tenant has no room for so many bytes. */
export async function checkStorage(ports: Ports, { tenant, quota }: Tenant, bytes: number): Promise<void> {
  const { storedBytes } = await ports.catalogue.quotas.usage(tenant, ports.now());
  if (bytes > 0 && storedBytes + bytes > quota.storedBytes) throw overStorage(storedBytes, bytes, quota.storedBytes);
}

/** Throws `quota_exceeded` where as many segmentations wait as may. */
export async function checkQueue(ports: Ports, { tenant, quota }: Tenant): Promise<void> {
  const { waitingJobs } = await ports.catalogue.quotas.usage(tenant, ports.now());
  if (waitingJobs >= quota.waitingJobs) throw overJobs(quota.waitingJobs);
}

/** Why what was checked before was refused in the end: others were faster, or the tenant is gone. */
export async function whyRefused(ports: Ports, principal: Principal, bytes: number): Promise<ServiceError> {
  if (principal.kind === 'operator') return new ServiceError('conflict', 'It could not be made; send it again.');
  if (!(await ports.catalogue.tenants.exists(principal.tenant))) {
    return new ServiceError('unauthorized', 'The tenant was deleted meanwhile.');
  }
  return overStorage(
    (await ports.catalogue.quotas.usage(principal.tenant, ports.now())).storedBytes,
    bytes,
    principal.quota.storedBytes,
  );
}
