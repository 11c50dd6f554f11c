import { JOB_KEPT_SECONDS } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import { inTurns } from './in-turns.ts';

const AT_ONCE = 500;
const PAGES = 20;

/** Forgets jobs that ended long ago. */
export async function forgetJobs(ports: Ports): Promise<void> {
  const endedBefore = ports.now() - JOB_KEPT_SECONDS * 1000;
  await inTurns(PAGES, AT_ONCE, () => ports.catalogue.sweeps.forgetJobs(endedBefore, AT_ONCE));
}

export async function forgetIdempotency(ports: Ports): Promise<void> {
  await inTurns(PAGES, AT_ONCE, () => ports.catalogue.sweeps.forgetIdempotency(ports.now(), AT_ONCE));
}
