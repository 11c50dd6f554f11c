import type { JobProblem, JobStatus } from '../../../../schemas/api-jobs.ts';
import type { ErrorCode, ServiceError } from '../../../../schemas/errors.ts';

/** The rules of a job's life, as pure functions. Times are milliseconds. */

/** An attempt is lost once it has not said for so long that it goes on. */
export const LEASE_MS = 60_000;
export const HEARTBEAT_MS = 3_000;
/** Less than the 15 minutes for which a queue's consumer may work. */
export const ATTEMPT_MAX_MS = 14 * 60_000;
/** Attempts that may be lost, for whatever a runner that dies takes with it, before the job fails. */
export const LOST_ATTEMPTS_MAX = 5;

/** What another runner, or another time, would answer alike: the job has failed. All else is worth another attempt. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'invalid_request',
  'not_found',
  'adapter_not_ready',
  'expired',
  'too_large',
  'invalid_adapter',
  'invalid_base',
  'invalid_volume',
  'channel_mismatch',
  'grid_mismatch',
  'deadline_exceeded',
]);

/** The runner had no room and never had the job, or a storage was away: neither says anything of the job. */
const BLAMELESS: ReadonlySet<ErrorCode> = new Set(['runner_busy', 'storage_unavailable']);

export type Verdict = 'fail' | 'again' | 'again, spent';

/** What an error means for the job of an attempt, `failures` of which were lost before. */
export function verdictOf(code: ErrorCode, failures: number): Verdict {
  if (FINAL.has(code)) return 'fail';
  if (BLAMELESS.has(code)) return 'again';
  return failures + 1 < LOST_ATTEMPTS_MAX ? 'again, spent' : 'fail';
}

export function hasEnded(status: JobStatus): boolean {
  return status !== 'queued' && status !== 'running';
}

/** Seconds until a job that found no room is looked at again: soon at first, seldom where it has waited long. */
export function pauseSeconds(waitedMs: number): number {
  return Math.min(30, Math.max(2, Math.round(waitedMs / 10_000)));
}

export function problemOfError(error: ServiceError): JobProblem {
  const { code, message, problems } = error;
  return { code, detail: message, ...(problems === undefined ? {} : { problems: [...problems] }) };
}
