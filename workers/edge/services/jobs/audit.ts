import type { AuditAction } from '../../../../schemas/api-audit.ts';
import type { ErrorCode } from '../../../../schemas/errors.ts';
import type { AuditEntry } from '../../store/audit-store.ts';
import type { NewJob } from '../../store/job-store.ts';

/** A line about a job, in the name of who asked for it unless another acts. */
export function entryOf(
  job: Pick<NewJob, 'id' | 'tenant' | 'actor' | 'requestId' | 'adapter' | 'base'>,
  action: AuditAction,
  outcome: 'ok' | ErrorCode,
  at: number,
  by: { readonly actor?: string; readonly requestId?: string; readonly voxels?: number | null } = {},
): AuditEntry {
  const { id, tenant, actor, requestId, adapter, base } = job;
  return {
    tenant,
    actor: by.actor ?? actor,
    requestId: by.requestId ?? requestId,
    action,
    subject: id,
    adapter: adapter?.digest ?? null,
    base,
    voxels: by.voxels ?? null,
    outcome,
    at,
  };
}
