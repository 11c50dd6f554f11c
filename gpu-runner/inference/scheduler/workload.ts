import { ServiceError } from '../../../schemas/errors.ts';

/** Work of a tenant that was let in: milliseconds of the device that are left of it. */
export interface Work {
  readonly tenant: string;
  readonly milliseconds: number;
}

const RETRY_AFTER_MAX_SECONDS = 60;

/**
 * When new work would be done, in milliseconds from now, behind what was let in before: the scheduler gives every
 * tenant the same and every run of a tenant the same, so nobody takes more of its time than it takes itself.
 */
export function doneAfter(work: Work, others: Iterable<Work>): number {
  const own = { tenant: work.tenant, milliseconds: work.milliseconds };
  const foreign = new Map<string, number>();
  for (const { tenant, milliseconds } of others) {
    if (tenant === work.tenant) own.milliseconds += Math.min(milliseconds, work.milliseconds);
    else foreign.set(tenant, (foreign.get(tenant) ?? 0) + milliseconds);
  }
  let total = own.milliseconds;
  for (const milliseconds of foreign.values()) total += Math.min(milliseconds, own.milliseconds);
  return total;
}

/**
 * Refuses early what would end late: `deadline_exceeded` where the work takes too long on an idle device, `runner_busy`
 * where it does behind the others. `left` are the milliseconds until its deadline.
 */
export function checkInTime(work: Work, left: number, others: Iterable<Work>): void {
  if (work.milliseconds > left) {
    const message = `The volume takes about ${seconds(work.milliseconds)} s on this runner, its deadline is in ${seconds(left)} s.`;
    throw new ServiceError('deadline_exceeded', message);
  }
  const late = doneAfter(work, others) - left;
  if (late <= 0) return;
  const retryAfterSeconds = Math.min(seconds(late), RETRY_AFTER_MAX_SECONDS);
  throw new ServiceError('runner_busy', 'The runner has too much to do before this deadline.', { retryAfterSeconds });
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
