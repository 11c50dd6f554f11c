import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, ServiceProblem } from './failure.ts';

/**
 * Pauses before a call that came to nothing is made again: together longer than the 30 s for which a call that broke off
 * holds its `Idempotency-Key`.
 */
const PAUSES_MS = [500, 2_000, 8_000, 21_000];
/** A service that asks for more is not waited for. */
const PAUSE_MAX_MS = 60_000;

/**
 * Makes a call that may be repeated until it is answered: again where the connection broke, and where the service says
 * that it is passing, after the time that it says.
 */
export async function patiently<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await call();
    } catch (error) {
      const told = toldPause(error);
      if (told === null || told > PAUSE_MAX_MS) throw error;
      await sleep(Math.max(pause, told), undefined, signal === undefined ? {} : { signal });
    }
  }
  return await call();
}

/** Null where another try would be answered alike. */
function toldPause(error: unknown): number | null {
  if (!(error instanceof ServiceProblem)) return error instanceof CliError && error.code === 'unreachable' ? 0 : null;
  const { status, code, retryAfterSeconds } = error;
  // A quota is not passing: what uses it up may go on for hours.
  const passing = status === 503 || status === 409 || code === 'rate_limited';
  return passing && retryAfterSeconds !== null ? retryAfterSeconds * 1000 : null;
}
