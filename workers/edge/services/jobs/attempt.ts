import { ServiceError } from '../../../../schemas/errors.ts';
import { chunksOf } from '../../body-stream.ts';
import type { Ports } from '../../ports.ts';
import type { JobLease, JobRecord, JobResult } from '../../store/job-store.ts';
import { pass } from '../files/pour.ts';
import { checkMadeWith, grantSubject, type Subject } from '../segmentations/subject.ts';
import { openInput } from './input.ts';
import { resultKey } from './job-key.ts';
import { ATTEMPT_MAX_MS, HEARTBEAT_MS, LEASE_MS } from './rules.ts';
import { takeSlot } from './slot.ts';

/**
 * Has the runner of the lease segment the job's volumes, and stores the label map under the attempt's own key. Ends
 * early where the job no longer needs it. Throws `ServiceError`.
 */
export async function attempt(
  ports: Ports,
  job: JobRecord,
  lease: JobLease,
  subject: Subject,
): Promise<Omit<JobResult, 'until'>> {
  const ended = new AbortController();
  const stop = keepUp(ports, job, lease, ended);
  try {
    const left = Math.min(job.deadlineAt - ports.now(), ATTEMPT_MAX_MS);
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(Math.max(1, left))]);
    const reply = await ports.runner.segmentOn(lease.runner, {
      ...(await grantSubject(ports, subject)),
      ...(await openInput(ports, job)),
      runId: runIdOf(job),
      trace: job.trace,
      tenant: job.tenant ?? job.adapter?.tenant ?? 'operator',
      output: job.output,
      format: job.format,
      deadline: ports.now() + left,
      signal,
    });
    await checkMadeWith(reply, subject);
    const bytes = Number(reply.contentLength ?? Number.NaN);
    if (!Number.isSafeInteger(bytes)) throw new ServiceError('bad_runner_reply', 'The runner told no length.');
    await store(ports, resultKey(job.id, job.attempt), reply.body, bytes);
    return { bytes, cache: reply.cache, voxels: reply.voxels, serverTiming: reply.serverTiming, report: reply.report };
  } finally {
    stop();
  }
}

async function store(ports: Ports, key: string, body: ReadableStream<Uint8Array>, bytes: number): Promise<void> {
  const put = (stream: ReadableStream<Uint8Array>) => ports.objects.put(key, stream);
  // What breaks here is the runner's side; what the bucket says is in the result.
  const stored = await pass(chunksOf(body), bytes, put).catch((cause: unknown) => {
    throw new ServiceError('runner_unavailable', 'The label map broke off.', { cause });
  });
  if (!stored.ok) throw stored.error;
}

/** What a runner calls an attempt. */
export function runIdOf({ id, attempt: number }: Pick<JobRecord, 'id' | 'attempt'>): string {
  return `${id}.${number}`;
}

/** Says that the attempt goes on, and how far it is; ends it where the job was cancelled or another has taken over. */
function keepUp(ports: Ports, job: JobRecord, lease: JobLease, ended: AbortController): () => void {
  const beat = async (): Promise<void> => {
    const progress = await ports.runner.progress(lease.runner, runIdOf(job));
    if (await ports.catalogue.jobs.renew(job.id, lease.id, ports.now() + LEASE_MS, progress)) {
      await takeSlot(ports, job);
      return;
    }
    ended.abort(new ServiceError('cancelled', 'The job no longer needs this attempt.'));
  };
  // A beat that fails is made up for by the next; where none gets through, the lease runs out.
  const timer = setInterval(() => void beat().catch(() => {}), HEARTBEAT_MS);
  return () => clearInterval(timer);
}
