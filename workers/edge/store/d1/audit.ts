import type { AuditAction } from '../../../../schemas/api-audit.ts';
import type { ErrorCode } from '../../../../schemas/errors.ts';
import type { AuditEntry, AuditRecord, AuditStore } from '../audit-store.ts';
import type { Database, Statement } from './database.ts';
import type { Clause } from './visible.ts';

interface AuditRow {
  id: number;
  tenant: string | null;
  at: number;
  actor: string;
  action: AuditAction;
  subject: string;
  adapter: string | null;
  base: string | null;
  voxels: number | null;
  outcome: 'ok' | ErrorCode;
  request: string;
}

const COLUMNS = 'tenant, at, actor, action, subject, adapter, base, voxels, outcome, request';

function bindsOf(entry: AuditEntry, subject: Clause['binds'] = [entry.subject]): (string | number | null)[] {
  const { tenant, at, actor, action, adapter, base, voxels, outcome, requestId } = entry;
  return [tenant, at, actor, action, ...subject, adapter ?? null, base ?? null, voxels ?? null, outcome, requestId];
}

/**
 * For a batch, right after the statement that makes the change: writes the entry where that statement changed a row.
 * `subject` stands for the entry's own where only the database knows it.
 */
export function logged(db: Database, entry: AuditEntry, subject?: Clause): Statement {
  return db
    .prepare(
      `INSERT INTO audit (${COLUMNS}) SELECT ?, ?, ?, ?, ${subject?.sql ?? '?'}, ?, ?, ?, ?, ? WHERE changes() > 0`,
    )
    .bind(...bindsOf(entry, subject?.binds));
}

export function auditStore(db: Database): AuditStore {
  return {
    async append(entry, owner) {
      const there = '(? IS NULL OR EXISTS (SELECT 1 FROM tenants WHERE id = ?))';
      const { meta } = await db
        .prepare(
          `INSERT INTO audit (${COLUMNS})
            SELECT ?, ?, ?, ?, iif(${there}, ?, '(deleted)'), ?, ?, ?, ?, ? WHERE ${there}`,
        )
        .bind(...bindsOf(entry, [owner ?? null, owner ?? null, entry.subject]), entry.tenant, entry.tenant)
        .run();
      return meta.changes > 0;
    },
    async list(tenant, { after, limit }) {
      const whose = tenant === undefined ? 'TRUE' : 'tenant = ?';
      const { results } = await db
        .prepare(`SELECT id, ${COLUMNS} FROM audit WHERE ${whose} AND id < ? ORDER BY id DESC LIMIT ?`)
        .bind(...(tenant === undefined ? [] : [tenant]), after ?? Number.MAX_SAFE_INTEGER, limit)
        .all<AuditRow>();
      return results.map(toRecord);
    },
  };
}

function toRecord({ request, ...row }: AuditRow): AuditRecord {
  return { ...row, requestId: request };
}
