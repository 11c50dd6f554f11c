import type { Ports } from '../../ports.ts';
import { DUE_AGAIN_MS, knock } from './knock.ts';

const JOBS_AT_ONCE = 200;
const TURNS_MAX = 25;

/** Sends messages for jobs whose message or attempt was lost: a queue may forget, and a Worker may be restarted. */
export async function sweepJobs(ports: Ports): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const now = ports.now();
    const due = await ports.catalogue.jobs.sweep(now, now + DUE_AGAIN_MS, JOBS_AT_ONCE);
    await knock(ports, due);
    if (due.length < JOBS_AT_ONCE) return;
  }
}
