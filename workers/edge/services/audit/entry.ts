import type { AuditAction } from '../../../../schemas/api-audit.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, ownerOf, type Principal } from '../../principal.ts';
import type { AuditEntry } from '../../store/audit-store.ts';

type Details = Partial<Pick<AuditEntry, 'tenant' | 'adapter' | 'base' | 'voxels' | 'outcome'>>;

/**
 * A line about what is done now. It stands in the audit of the caller's own tenant, unless `details.tenant` says whose
 * thing it is done to; it says `ok` unless `details.outcome` says otherwise.
 */
export function auditEntry(
  ports: Pick<Ports, 'requestId' | 'now'>,
  by: Principal | 'service',
  action: AuditAction,
  subject: string,
  details: Details = {},
): AuditEntry {
  return {
    tenant: by === 'service' ? null : ownerOf(by),
    actor: by === 'service' ? by : actorOf(by),
    action,
    subject,
    outcome: 'ok',
    requestId: ports.requestId,
    at: ports.now(),
    ...details,
  };
}
