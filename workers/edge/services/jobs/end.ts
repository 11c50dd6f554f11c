import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, type Principal, viewerOf } from '../../principal.ts';
import type { JobRecord } from '../../store/job-store.ts';
import { runIdOf } from './attempt.ts';
import { entryOf } from './audit.ts';
import { inputKey, resultKey } from './job-key.ts';
import { hasEnded, problemOfError } from './rules.ts';

/** A job that the caller may see; throws `not_found`. */
export async function findJob(ports: Ports, principal: Principal, id: string): Promise<JobRecord> {
  const job = await ports.catalogue.jobs.find(viewerOf(principal), id);
  if (job === null) throw unknownJob();
  return job;
}

/**
 * Cancels a job that has not ended, at its runner too; of one that has ended, erases all there is but its lines in the
 * audit. Whatever a late attempt still writes is nobody's, and cleared away.
 */
export async function endJob(ports: Ports, principal: Principal, id: string): Promise<'cancelled' | 'erased'> {
  const job = await findJob(ports, principal, id);
  if (!hasEnded(job.status) && (await cancel(ports, principal, job))) return 'cancelled';
  await erase(ports, principal, await findJob(ports, principal, id));
  return 'erased';
}

async function cancel(ports: Ports, principal: Principal, job: JobRecord): Promise<boolean> {
  const now = ports.now();
  const error = new ServiceError('cancelled', 'The segmentation was cancelled.');
  const lines = [
    entryOf(job, 'segmentation.cancel', 'ok', now, { actor: actorOf(principal), requestId: ports.requestId }),
    entryOf(job, 'segmentation.run', 'cancelled', now),
  ];
  if (!(await ports.catalogue.jobs.cancel(job.id, problemOfError(error), now, lines))) return false;
  // What the row said a moment ago may be a queued job that has an attempt by now.
  const last = await ports.catalogue.jobs.find(viewerOf(principal), job.id);
  if (last?.runner != null) ports.later(ports.runner.cancel(last.runner, runIdOf(last)));
  await ports.objects.remove([inputKey(job.id)]);
  return true;
}

async function erase(ports: Ports, principal: Principal, job: JobRecord): Promise<void> {
  // The bodies first: what is left of a job can be erased again, a body without a job only be waited for.
  await ports.objects.remove([inputKey(job.id), resultKey(job.id, job.attempt)]);
  const by = { actor: actorOf(principal), requestId: ports.requestId };
  const entry = entryOf(job, 'segmentation.delete', 'ok', ports.now(), by);
  if (!(await ports.catalogue.jobs.remove(job.id, entry))) throw unknownJob();
}

function unknownJob(): ServiceError {
  return new ServiceError('not_found', 'There is no such segmentation.');
}
