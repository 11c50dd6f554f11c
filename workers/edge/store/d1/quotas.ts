import type { Quota, QuotaChanges, QuotaStore, WantedFile } from '../quota-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { storedBytes, storesFile, waitingJobs } from './usage.ts';
import type { Clause } from './visible.ts';

/** A row of `quotas`, or of a LEFT JOIN with it. */
export interface QuotaRow {
  stored_bytes: number | null;
  waiting_jobs: number | null;
  segmentations_at_once: number | null;
  requests_per_minute: number | null;
}

export const QUOTA_COLUMNS = 'stored_bytes, waiting_jobs, segmentations_at_once, requests_per_minute';

const COLUMN_OF: Readonly<Record<keyof Quota, keyof QuotaRow>> = {
  storedBytes: 'stored_bytes',
  waitingJobs: 'waiting_jobs',
  segmentationsAtOnce: 'segmentations_at_once',
  requestsPerMinute: 'requests_per_minute',
};

export function quotaOf(row: QuotaRow | null, defaults: Quota): Quota {
  return {
    storedBytes: row?.stored_bytes ?? defaults.storedBytes,
    waitingJobs: row?.waiting_jobs ?? defaults.waitingJobs,
    segmentationsAtOnce: row?.segmentations_at_once ?? defaults.segmentationsAtOnce,
    requestsPerMinute: row?.requests_per_minute ?? defaults.requestsPerMinute,
  };
}

export function quotaStore(db: Database, defaults: Quota): QuotaStore {
  return {
    async of(tenant) {
      const select = `SELECT ${QUOTA_COLUMNS} FROM quotas WHERE tenant = ?`;
      return quotaOf(await db.prepare(select).bind(tenant).first<QuotaRow>(), defaults);
    },
    async usage(tenant, now) {
      const bytes = storedBytes('t.id', now);
      const jobs = waitingJobs('t.id');
      const row = await db
        .prepare(`SELECT ${bytes.sql} AS bytes, ${jobs.sql} AS jobs FROM tenants t WHERE t.id = ?`)
        .bind(...bytes.binds, ...jobs.binds, tenant)
        .first<{ bytes: number; jobs: number }>();
      return { storedBytes: row?.bytes ?? 0, waitingJobs: row?.jobs ?? 0 };
    },
    async set(tenant, changes, entry) {
      const { columns, values } = changed(changes);
      const places = columns.map(() => '?').join(', ');
      const updates = columns.map((column) => `${column} = excluded.${column}`).join(', ');
      const [set] = await db.batch([
        db
          .prepare(
            `INSERT INTO quotas (tenant, ${columns.join(', ')}) SELECT id, ${places} FROM tenants WHERE id = ?
              ON CONFLICT (tenant) DO UPDATE SET ${updates}`,
          )
          .bind(...values, tenant),
        logged(db, entry),
      ]);
      return (set?.meta.changes ?? 0) > 0;
    },
    async room(tenant, file, now) {
      const used = storedBytes('t.id', now);
      const known = perhapsStored('t.id', file);
      const row = await db
        .prepare(
          `SELECT ${used.sql} AS used, ${known.sql} AS known, q.stored_bytes AS allowed
            FROM tenants t LEFT JOIN quotas q ON q.tenant = t.id WHERE t.id = ?`,
        )
        .bind(...used.binds, ...known.binds, tenant)
        .first<{ used: number; known: number; allowed: number | null }>();
      if (row === null) return null;
      return { usedBytes: row.used, allowedBytes: row.allowed ?? defaults.storedBytes, known: row.known === 1 };
    },
  };
}

function perhapsStored(tenant: string, { size, digest }: WantedFile): Clause {
  if (digest !== null) return storesFile(tenant, digest);
  const sql = `EXISTS (SELECT 1 FROM versions v JOIN files f ON f.digest = v.digest
    WHERE v.tenant = ${tenant} AND f.size = ?)`;
  return { sql, binds: [size] };
}

function changed(changes: QuotaChanges): { columns: (keyof QuotaRow)[]; values: (number | null)[] } {
  const columns: (keyof QuotaRow)[] = [];
  const values: (number | null)[] = [];
  for (const name of ['storedBytes', 'waitingJobs', 'segmentationsAtOnce', 'requestsPerMinute'] as const) {
    const value = changes[name];
    if (value === undefined) continue;
    columns.push(COLUMN_OF[name]);
    values.push(value);
  }
  if (columns.length === 0) throw new Error('no quota to change');
  return { columns, values };
}
