import type { JobStatus } from '../../../../schemas/api-jobs.ts';
import { traceparentOf } from '../../../../schemas/trace.ts';
import type { JobQuota, JobStore } from '../job-store.ts';
import type { Viewer } from '../words.ts';
import { logged } from './audit.ts';
import type { Database, Statement } from './database.ts';
import { JOB_COLUMNS, type JobRow, toJob } from './job-rows.ts';
import { bytesFit, jobFits } from './usage.ts';
import type { Clause } from './visible.ts';

const SELECT = `SELECT ${JOB_COLUMNS} FROM jobs j`;
const OPEN: readonly JobStatus[] = ['queued', 'running'];
const IS_OPEN = `status IN (${OPEN.map((status) => `'${status}'`).join(', ')})`;

export function jobStore(db: Database): JobStore {
  const first = async (sql: string, ...binds: (string | number | null)[]) => {
    const row = await db
      .prepare(sql)
      .bind(...binds)
      .first<JobRow>();
    return row === null ? null : toJob(row);
  };
  /** Runs a step with its lines of the audit; whether it was taken. */
  const step = async (statement: Statement, ...lines: Parameters<typeof logged>[1][]) => {
    const [taken] = await db.batch([statement, ...lines.map((line) => logged(db, line))]);
    return (taken?.meta.changes ?? 0) > 0;
  };

  return {
    async create(job, dueAt, quota, entry) {
      const { adapter, input, tenant } = job;
      const inputBytes = input.kind === 'body' ? input.size : 0;
      const room = tenant === null || quota === null ? null : roomFor(tenant, inputBytes, quota, job.createdAt);
      const insert = db
        .prepare(
          `INSERT INTO jobs (id, tenant, actor, request, trace, adapter, adapter_tenant, adapter_name, adapter_version,
              base, output, format, input, input_bytes, status, lease_until, created_at, deadline_at)
            SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ? ${room === null ? '' : room.sql}
            ON CONFLICT DO NOTHING`,
        )
        .bind(
          job.id,
          tenant,
          job.actor,
          job.requestId,
          traceparentOf(job.trace),
          adapter?.digest ?? null,
          adapter?.tenant ?? null,
          adapter?.name ?? null,
          adapter?.version ?? null,
          job.base,
          job.output,
          job.format,
          JSON.stringify(input),
          inputBytes,
          dueAt,
          job.createdAt,
          job.deadlineAt,
          ...(room?.binds ?? []),
        );
      const uploads = input.kind === 'uploads' ? input.channels.map(({ upload }) => upload) : [];
      const link = (upload: string) =>
        db
          .prepare(
            `INSERT INTO job_inputs (job, upload) SELECT j.id, u.id FROM jobs j JOIN uploads u ON u.id = ?2
              WHERE j.id = ?1 ON CONFLICT DO NOTHING`,
          )
          .bind(job.id, upload);
      const [made] = await db.batch([insert, logged(db, entry), ...[...new Set(uploads)].map(link)]);
      return (made?.meta.changes ?? 0) > 0;
    },

    async find(viewer, id) {
      const mine = ofViewer(viewer);
      return await first(`${SELECT} WHERE id = ? AND ${mine.sql}`, id, ...mine.binds);
    },

    async list(viewer, { after, limit }) {
      const mine = ofViewer(viewer);
      const { results } = await db
        .prepare(`${SELECT} WHERE ${mine.sql} AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`)
        .bind(...mine.binds, after?.createdAt ?? Number.MAX_SAFE_INTEGER, after?.id ?? '', limit)
        .all<JobRow>();
      return results.map(toJob);
    },

    async claim(id, lease) {
      const [, claimed] = await db.batch<JobRow>([
        db
          .prepare(
            `UPDATE jobs SET failures = failures + (status = 'running'), status = 'running', progress = 0,
                attempt = attempt + 1, lease = ?2, lease_until = ?3, runner = ?4, started_at = coalesce(started_at, ?5)
              WHERE id = ?1 AND (status = 'queued' OR (status = 'running' AND lease_until <= ?5))`,
          )
          .bind(id, lease.id, lease.until, lease.runner, lease.now),
        db.prepare(`${SELECT} WHERE id = ? AND lease = ?`).bind(id, lease.id),
      ]);
      const row = claimed?.results[0];
      return row === undefined ? null : toJob(row);
    },

    async renew(id, lease, until, progress) {
      const { meta } = await db
        .prepare(
          `UPDATE jobs SET lease_until = ?, progress = max(progress, coalesce(?, 0))
            WHERE id = ? AND lease = ? AND status = 'running'`,
        )
        .bind(until, progress, id, lease)
        .run();
      return meta.changes > 0;
    },

    async giveBack(id, lease, at, spent) {
      const { meta } = await db
        .prepare(
          `UPDATE jobs SET status = 'queued', lease = NULL, lease_until = ?, runner = NULL, progress = 0,
              failures = failures + ?
            WHERE id = ? AND lease = ? AND status = 'running'`,
        )
        .bind(at, spent ? 1 : 0, id, lease)
        .run();
      return meta.changes > 0;
    },

    async postpone(id, from, to) {
      const { meta } = await db
        .prepare("UPDATE jobs SET lease_until = ? WHERE id = ? AND status = 'queued' AND lease_until = ?")
        .bind(to, id, from)
        .run();
      return meta.changes > 0;
    },

    succeed: (id, lease, { bytes, cache, voxels, serverTiming, report, until }, now, entry) =>
      step(
        db
          .prepare(
            `UPDATE jobs SET status = 'succeeded', progress = 1, lease = NULL, result_bytes = ?, cache = ?, voxels = ?,
                server_timing = ?, report = ?, result_until = ?, ended_at = ?
              WHERE id = ? AND lease = ? AND status = 'running'`,
          )
          .bind(bytes, cache, voxels, serverTiming, report && JSON.stringify(report), until, now, id, lease),
        entry,
      ),

    fail: (id, lease, problem, now, entry) =>
      step(
        db
          .prepare(
            `UPDATE jobs SET status = 'failed', lease = NULL, problem = ?1, ended_at = ?2 WHERE id = ?3 AND ${IS_OPEN}
              AND (lease = ?4 OR (?4 IS NULL AND (lease IS NULL OR lease_until <= ?2)))`,
          )
          .bind(JSON.stringify(problem), now, id, lease),
        entry,
      ),

    cancel: (id, problem, now, entries) =>
      step(
        db
          .prepare(
            `UPDATE jobs SET status = 'cancelled', lease = NULL, problem = ?, ended_at = ? WHERE id = ? AND ${IS_OPEN}`,
          )
          .bind(JSON.stringify(problem), now, id),
        ...entries,
      ),

    remove: (id, entry) => step(db.prepare(`DELETE FROM jobs WHERE id = ? AND NOT ${IS_OPEN}`).bind(id), entry),

    async sweep(now, to, limit) {
      const due = `SELECT id FROM jobs WHERE ${IS_OPEN} AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2`;
      const [found] = await db.batch<{ id: string; lease_until: number }>([
        db
          .prepare(`SELECT id, iif(status = 'queued', ?3, lease_until) AS lease_until FROM jobs WHERE id IN (${due})`)
          .bind(now, limit, to),
        db.prepare(`UPDATE jobs SET lease_until = ?3 WHERE status = 'queued' AND id IN (${due})`).bind(now, limit, to),
      ]);
      return (found?.results ?? []).map((row) => ({ job: row.id, due: row.lease_until }));
    },

    async oldestQueued(tenant) {
      const row = await db
        .prepare(`SELECT id, lease_until FROM jobs WHERE tenant = ? AND ${IS_OPEN} AND status = 'queued'
          ORDER BY created_at LIMIT 1`)
        .bind(tenant)
        .first<{ id: string; lease_until: number }>();
      return row === null ? null : { job: row.id, due: row.lease_until };
    },
  };
}

/** Where the tenant is there and has room for one job more, with its input. */
function roomFor(tenant: string, bytes: number, quota: JobQuota, now: number): Clause {
  const [waiting, stored] = [jobFits('t.id', quota.waitingJobs), bytesFit('t.id', bytes, quota.storedBytes, now)];
  return {
    sql: `FROM tenants t WHERE t.id = ? AND ${waiting.sql} AND ${stored.sql}`,
    binds: [tenant, ...waiting.binds, ...stored.binds],
  };
}

/** A tenant sees its own; the operator sees all. */
function ofViewer(viewer: Viewer): { sql: string; binds: string[] } {
  return viewer.kind === 'operator' ? { sql: 'TRUE', binds: [] } : { sql: 'tenant = ?', binds: [viewer.tenant] };
}
