import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { JobRecord, JobResult } from '../../store/job-store.ts';
import { findJob } from './end.ts';
import { resultKey } from './job-key.ts';

export interface OpenResult {
  readonly job: JobRecord;
  readonly result: JobResult;
  readonly body: ReadableStream<Uint8Array>;
}

/**
 * The label map of a job. Throws `conflict` before the job has ended and where it failed, `cancelled` where it was, and
 * `expired` where the label map is no longer kept.
 */
export async function openResult(ports: Ports, principal: Principal, id: string): Promise<OpenResult> {
  const job = await findJob(ports, principal, id);
  const result = resultOf(job);
  const kept = ports.now() < result.until;
  const found = kept ? await ports.objects.open(resultKey(job.id, job.attempt)) : null;
  if (found === null) throw new ServiceError('expired', 'The result is no longer kept.');
  return { job, result, body: found.body };
}

/** Throws `conflict` before the job has ended and where it failed, and `cancelled` where it was. */
export function resultOf(job: JobRecord): JobResult {
  if (job.status === 'cancelled') throw new ServiceError('cancelled', 'The segmentation was cancelled.');
  if (job.status === 'failed') {
    throw new ServiceError('conflict', `The segmentation failed: ${job.problem?.code}: ${job.problem?.detail}`);
  }
  if (job.result === null) {
    throw new ServiceError('conflict', `The segmentation is ${job.status}.`, { retryAfterSeconds: 1 });
  }
  return job.result;
}
