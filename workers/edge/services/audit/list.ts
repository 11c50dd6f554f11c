import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { AuditRecord } from '../../store/audit-store.ts';
import type { Page } from '../../store/words.ts';

/**
 * The audit of the caller's tenant; the operator reads that of the tenant it names, or all. Another's is `not_found`,
 * as is one of a tenant that is not there.
 */
export async function listAudit(
  ports: Ports,
  principal: Principal,
  tenant: string | undefined,
  page: Page<number>,
): Promise<AuditRecord[]> {
  const { audit, tenants } = ports.catalogue;
  const own = principal.kind === 'tenant' ? principal.tenant : tenant;
  const there = tenant === undefined || (tenant === own && (await tenants.exists(tenant)));
  if (!there) throw new ServiceError('not_found', 'There is no such tenant.');
  return audit.list(own, page);
}
