import type { ErrorCode } from '../../../../schemas/errors.ts';
import type { AuditAction, AuditEntry, AuditRecord, AuditStore } from '../audit-store.ts';
import type { Database, Statement } from './database.ts';

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

function bindsOf(entry: AuditEntry): (string | number | null)[] {
  const { tenant, at, actor, action, subject, adapter, base, voxels, outcome, requestId } = entry;
  return [tenant, at, actor, action, subject, adapter ?? null, base ?? null, voxels ?? null, outcome, requestId];
}

/** For a batch, right after the statement that makes the change: writes the entry where that statement changed a row. */
export function logged(db: Database, entry: AuditEntry): Statement {
  return db
    .prepare(`INSERT INTO audit (${COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE changes() > 0`)
    .bind(...bindsOf(entry));
}

export function auditStore(db: Database): AuditStore {
  return {
    async append(entry) {
      await db
        .prepare(`INSERT INTO audit (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
        .bind(...bindsOf(entry))
        .run();
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
