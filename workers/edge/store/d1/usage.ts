import type { Clause } from './visible.ts';

/**
 * What a tenant uses, as clauses for reading it and for statements that may only insert where it fits: asked in the
 * inserting statement, no two can pass it together. `tenant` is an SQL expression such as `tenants.id`; `now` is
 * milliseconds since 1970.
 */

/**
 * Bytes stored: each file of its versions once; uploads until they expire, or longer for a job that reads them; inputs
 * of jobs that have not ended, unless they are uploads; results and images of sessions for as long as they are kept.
 */
export function storedBytes(tenant: string, now: number): Clause {
  const open = "j.status IN ('queued', 'running')";
  const sql = `((SELECT coalesce(sum(f.size), 0) FROM files f
      WHERE f.digest IN (SELECT v.digest FROM versions v WHERE v.tenant = ${tenant}))
    + (SELECT coalesce(sum(u.size), 0) FROM uploads u WHERE u.tenant = ${tenant} AND (u.expires_at > ? OR EXISTS (
      SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job WHERE i.upload = u.id AND ${open})))
    + (SELECT coalesce(sum(j.input_bytes), 0) FROM jobs j WHERE j.tenant = ${tenant} AND ${open}
      AND NOT EXISTS (SELECT 1 FROM job_inputs i WHERE i.job = j.id))
    + (SELECT coalesce(sum(j.result_bytes), 0) FROM jobs j WHERE j.tenant = ${tenant} AND j.result_until > ?)
    + (SELECT coalesce(sum(m.stored_bytes), 0) FROM images m WHERE m.tenant = ${tenant} AND m.expires_at > ?))`;
  return { sql, binds: [now, now, now] };
}

/** Asynchronous segmentations that have not ended. */
export function waitingJobs(tenant: string): Clause {
  const sql = `(SELECT count(*) FROM jobs j WHERE j.tenant = ${tenant} AND j.status IN ('queued', 'running'))`;
  return { sql, binds: [] };
}

/** Whether the tenant may store so many bytes more. */
export function bytesFit(tenant: string, bytes: number, allowed: number, now: number): Clause {
  const used = storedBytes(tenant, now);
  return { sql: `${used.sql} + ? <= ?`, binds: [...used.binds, bytes, allowed] };
}

/** Whether the tenant may have one job more. */
export function jobFits(tenant: string, allowed: number): Clause {
  const waiting = waitingJobs(tenant);
  return { sql: `${waiting.sql} < ?`, binds: [...waiting.binds, allowed] };
}

/** Whether one of the tenant's versions has this file, which costs it nothing more then. */
export function storesFile(tenant: string, digest: string): Clause {
  return {
    sql: `EXISTS (SELECT 1 FROM versions o WHERE o.tenant = ${tenant} AND o.digest = ?)`,
    binds: [digest],
  };
}
