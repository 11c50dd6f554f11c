import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Quota, Usage } from '../../store/quota-store.ts';

export interface Standing {
  readonly limits: Quota;
  readonly usage: Usage;
}

export async function showQuota(ports: Ports, tenant: string): Promise<Standing> {
  const { tenants, quotas } = ports.catalogue;
  if (!(await tenants.exists(tenant))) throw new ServiceError('not_found', 'There is no such tenant.');
  const [limits, usage] = await Promise.all([quotas.of(tenant), quotas.usage(tenant, ports.now())]);
  return { limits, usage };
}
