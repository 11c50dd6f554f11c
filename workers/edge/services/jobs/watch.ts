import type { Ports } from '../../ports.ts';
import type { JobRecord } from '../../store/job-store.ts';
import { hasEnded } from './rules.ts';

const FIRST_PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 5_000;

/**
 * A job each time it has changed, from now until it has ended. Null each time it was looked at and had not. `look`
 * answers the job as long as the caller may see it; what it throws ends the watch.
 */
export async function* watchJob(
  { now }: Pick<Ports, 'now'>,
  look: () => Promise<JobRecord>,
  limits: { readonly until: number; readonly signal: AbortSignal },
): AsyncGenerator<JobRecord | null> {
  let seen = '';
  let pause = FIRST_PAUSE_MS;
  while (now() < limits.until && !limits.signal.aborted) {
    const job = await look();
    const state = `${job.status} ${job.progress} ${job.attempt}`;
    yield state === seen ? null : job;
    if (hasEnded(job.status)) return;
    pause = state === seen ? Math.min(PAUSE_MAX_MS, pause * 1.5) : FIRST_PAUSE_MS;
    seen = state;
    await scheduler.wait(pause);
  }
}
