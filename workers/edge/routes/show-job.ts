import { BASE_REF } from '../../../schemas/names.ts';
import type { RunReport } from '../../../schemas/report.ts';
import type { JobRecord } from '../store/job-store.ts';

export function showJob(job: JobRecord) {
  const { id, status, adapter, base, output, format, progress, attempt, problem, result } = job;
  return {
    id,
    status,
    adapter: adapter === null ? BASE_REF : `${adapter.tenant}/${adapter.name}`,
    version: adapter?.version ?? null,
    adapter_digest: adapter?.digest ?? null,
    base_digest: base,
    output,
    format,
    progress,
    attempt,
    created_at: iso(job.createdAt),
    started_at: job.startedAt === null ? null : iso(job.startedAt),
    ended_at: job.endedAt === null ? null : iso(job.endedAt),
    deadline_at: iso(job.deadlineAt),
    expires_at: result === null ? null : iso(result.until),
    voxels: result?.voxels ?? null,
    server_timing: result?.serverTiming ?? null,
    problem,
  };
}

/** What of a job belongs to a report, and the report. */
export function showReport(job: JobRecord, report: RunReport) {
  const { id, adapter, version, adapter_digest, base_digest, output, attempt, ...shown } = showJob(job);
  const { created_at, started_at, ended_at, voxels, server_timing } = shown;
  return {
    id,
    adapter,
    version,
    adapter_digest,
    base_digest,
    output,
    attempt,
    created_at,
    started_at,
    ended_at,
    voxels,
    server_timing,
    ...report,
  };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
