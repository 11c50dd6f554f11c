import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, type Principal } from '../../principal.ts';
import type { QuotaChanges } from '../../store/quota-store.ts';
import { type Standing, showQuota } from './show.ts';

/** What is stored or runs already stays; the new numbers hold from the tenant's next request on. */
export async function setQuota(
  ports: Ports,
  tenant: string,
  principal: Principal,
  changes: QuotaChanges,
): Promise<Standing> {
  const entry = {
    tenant,
    actor: actorOf(principal),
    action: 'tenant.quota',
    subject: tenant,
    outcome: 'ok',
    requestId: ports.requestId,
    at: ports.now(),
  } as const;
  if (!(await ports.catalogue.quotas.set(tenant, changes, entry))) {
    throw new ServiceError('not_found', 'There is no such tenant.');
  }
  return showQuota(ports, tenant);
}
