import { ServiceError } from '../../../../schemas/errors.ts';
import { RESULT_KEPT_SECONDS } from '../../../../schemas/limits.ts';
import type { JobMessage } from '../../job-queue.ts';
import type { Ports } from '../../ports.ts';
import type { JobRecord } from '../../store/job-store.ts';
import { type Subject, subjectOfJob } from '../segmentations/subject.ts';
import { attempt } from './attempt.ts';
import { entryOf } from './audit.ts';
import { inputKey, resultKey } from './job-key.ts';
import { DUE_AGAIN_MS, knock } from './knock.ts';
import { hasEnded, LEASE_MS, LOST_ATTEMPTS_MAX, pauseSeconds, problemOfError, verdictOf } from './rules.ts';
import { giveSlot, takeSlot } from './slot.ts';

const OPERATOR = { kind: 'operator' } as const;

/**
 * Starts an attempt on the job that a message names, if it still needs one, and sees it to its end. Whether the caller
 * may still use the adapter is asked anew: a grant that was withdrawn while the job waited holds no longer.
 */
export async function runJob(ports: Ports, message: JobMessage): Promise<void> {
  const job = await ports.catalogue.jobs.find(OPERATOR, message.job);
  const now = ports.now();
  if (job === null || hasEnded(job.status)) return;
  if (job.status === 'running' && job.leaseUntil > now) return;
  try {
    if (now >= job.deadlineAt) throw new ServiceError('deadline_exceeded', 'The job was not done before its deadline.');
    const subject = await subjectOfJob(ports, job);
    await start(ports, job, subject, message);
  } catch (error) {
    if (!(error instanceof ServiceError) || verdictOf(error.code, 0) !== 'fail') throw error;
    await fail(ports, job, null, error);
  }
}

async function start(ports: Ports, job: JobRecord, subject: Subject, message: JobMessage): Promise<void> {
  const [runner] = await ports.runner.ready(subject.version?.digest ?? subject.base.digest);
  const now = ports.now();
  if (runner === undefined) {
    await postpone(ports, job, message);
    return;
  }
  if (!(await takeSlot(ports, job))) {
    // The next of its tenant's to end makes room, and wakes it; failing that, the sweeper does.
    await ports.catalogue.jobs.postpone(job.id, message.due, now + DUE_AGAIN_MS);
    return;
  }
  const lease = { id: crypto.randomUUID(), runner, now, until: now + LEASE_MS };
  const claimed = await ports.catalogue.jobs.claim(job.id, lease);
  // Whoever was faster has the slot too.
  if (claimed === null) return;
  try {
    if (claimed.failures >= LOST_ATTEMPTS_MAX) throw lostTooOften(claimed);
    const result = await attempt(ports, claimed, lease, subject);
    await succeed(ports, claimed, lease.id, result);
  } catch (error) {
    await settle(ports, claimed, lease.id, error);
  } finally {
    await giveSlot(ports, job);
  }
}

function lostTooOften({ failures }: JobRecord): ServiceError {
  return new ServiceError('runner_unavailable', `${failures} attempts were lost with their runners.`);
}

async function succeed(
  ports: Ports,
  job: JobRecord,
  lease: string,
  made: Awaited<ReturnType<typeof attempt>>,
): Promise<void> {
  const now = ports.now();
  const result = { ...made, until: now + RESULT_KEPT_SECONDS * 1000 };
  const entry = entryOf(job, 'segmentation.run', 'ok', now, { voxels: made.voxels });
  if (await ports.catalogue.jobs.succeed(job.id, lease, result, now, entry)) await clearInput(ports, job);
  else await ports.objects.remove([resultKey(job.id, job.attempt)]);
}

/** After an attempt that came to nothing: the job has failed, or waits for another. */
async function settle(ports: Ports, job: JobRecord, lease: string, error: unknown): Promise<void> {
  const known = error instanceof ServiceError ? error : new ServiceError('internal', 'The attempt failed.');
  if (known !== error) ports.log.error('attempt', error, { job: job.id, trace: job.trace.traceId });
  const verdict = verdictOf(known.code, job.failures);
  if (verdict === 'fail') {
    await fail(ports, job, lease, known);
    return;
  }
  const spent = verdict === 'again, spent';
  const pause = spent ? job.failures + 1 : pauseSeconds(ports.now() - job.createdAt);
  const due = ports.now() + pause * 1000 + DUE_AGAIN_MS;
  const message = { job: job.id, due };
  if (await ports.catalogue.jobs.giveBack(job.id, lease, due, spent)) await knock(ports, [message], pause);
}

async function fail(ports: Ports, job: JobRecord, lease: string | null, error: ServiceError): Promise<void> {
  const now = ports.now();
  const entry = entryOf(job, 'segmentation.run', error.code, now);
  const ended = await ports.catalogue.jobs.fail(job.id, lease, problemOfError(error), now, entry);
  if (ended) await clearInput(ports, job);
}

/** No runner is ready: no attempt is spent. Of several messages for one job, one begets the next. */
async function postpone(ports: Ports, job: JobRecord, message: JobMessage): Promise<void> {
  const now = ports.now();
  const pause = pauseSeconds(now - job.createdAt);
  const due = now + pause * 1000 + DUE_AGAIN_MS;
  if (await ports.catalogue.jobs.postpone(job.id, message.due, due)) await knock(ports, [{ job: job.id, due }], pause);
}

/** A patient's image is kept no longer than it is needed. Housekeeping does what this cannot. */
async function clearInput(ports: Ports, job: JobRecord): Promise<void> {
  if (job.input.kind === 'uploads') return;
  await ports.objects.remove([inputKey(job.id)]).catch(() => {});
}
