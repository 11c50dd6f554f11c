import { z } from 'zod';
import type { Format } from '../../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../../schemas/api.ts';
import { type JobStatus, jobProblemSchema } from '../../../../schemas/api-jobs.ts';
import { runReportSchema } from '../../../../schemas/report.ts';
import { traceOf } from '../../trace.ts';
import type { JobAdapter, JobRecord, JobResult } from '../job-store.ts';

/** Rows of the table `jobs` and what they mean. */
export interface JobRow {
  id: string;
  tenant: string | null;
  actor: string;
  request: string;
  trace: string;
  adapter: string | null;
  adapter_tenant: string | null;
  adapter_name: string | null;
  adapter_version: number | null;
  base: string;
  output: (typeof OUTPUTS)[number];
  format: Format;
  input: string;
  status: JobStatus;
  progress: number;
  attempt: number;
  failures: number;
  lease: string | null;
  lease_until: number;
  runner: string | null;
  problem: string | null;
  result_bytes: number | null;
  cache: string | null;
  voxels: number | null;
  server_timing: string | null;
  report: string | null;
  result_until: number | null;
  created_at: number;
  deadline_at: number;
  started_at: number | null;
  ended_at: number | null;
}

export const JOB_COLUMNS = `id, tenant, actor, request, trace, adapter, adapter_tenant, adapter_name, adapter_version, base, output,
  format, input, status, progress, attempt, failures, lease, lease_until, runner, problem, result_bytes, cache, voxels,
  server_timing, report, result_until, created_at, deadline_at, started_at, ended_at`;

const inputSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('body'), contentType: z.string(), size: z.int() }),
  z.object({
    kind: z.literal('uploads'),
    channels: z.array(z.object({ channel: z.string(), upload: z.string(), size: z.int() })),
  }),
]);

export function toJob(row: JobRow): JobRecord {
  const { id, tenant, actor, base, output, format, status, progress, attempt, failures, lease, runner } = row;
  return {
    id,
    tenant,
    actor,
    requestId: row.request,
    trace: traceOf(row.trace),
    adapter: adapterOf(row),
    base,
    output,
    format,
    input: inputSchema.parse(JSON.parse(row.input)),
    status,
    progress,
    attempt,
    failures,
    lease,
    leaseUntil: row.lease_until,
    runner,
    problem: row.problem === null ? null : jobProblemSchema.parse(JSON.parse(row.problem)),
    result: resultOf(row),
    createdAt: row.created_at,
    deadlineAt: row.deadline_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

function adapterOf({ adapter, adapter_tenant, adapter_name, adapter_version }: JobRow): JobAdapter | null {
  if (adapter === null || adapter_tenant === null || adapter_name === null || adapter_version === null) return null;
  return { tenant: adapter_tenant, name: adapter_name, version: adapter_version, digest: adapter };
}

function resultOf({ result_bytes, cache, voxels, server_timing, report, result_until }: JobRow): JobResult | null {
  if (result_bytes === null || cache === null || server_timing === null || result_until === null) return null;
  return {
    bytes: result_bytes,
    cache,
    voxels,
    serverTiming: server_timing,
    report: report === null ? null : runReportSchema.parse(JSON.parse(report)),
    until: result_until,
  };
}
