import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { overJobs, overStorage } from '../quotas/errors.ts';

type Tenant = Extract<Principal, { kind: 'tenant' }>;

/** Refuses a job before its body is taken in: throws `quota_exceeded` where the tenant has no room for it. */
export async function checkQueue(ports: Ports, { tenant, quota }: Tenant, bytes: number): Promise<void> {
  const used = await ports.catalogue.quotas.usage(tenant, ports.now());
  if (used.waitingJobs >= quota.waitingJobs) throw overJobs(quota.waitingJobs);
  if (bytes > 0 && used.storedBytes + bytes > quota.storedBytes) {
    throw overStorage(used.storedBytes, bytes, quota.storedBytes);
  }
}

/** Why a job whose body has come was not queued: others were faster, or its tenant is gone. */
export async function whyRefused(ports: Ports, principal: Principal, bytes: number): Promise<ServiceError> {
  if (principal.kind === 'tenant') {
    if (!(await ports.catalogue.tenants.exists(principal.tenant))) {
      return new ServiceError('unauthorized', 'The tenant was deleted meanwhile.');
    }
    try {
      await checkQueue(ports, principal, bytes);
    } catch (error) {
      if (error instanceof ServiceError) return error;
      throw error;
    }
  }
  return new ServiceError('conflict', 'The segmentation could not be queued; send it again.');
}
