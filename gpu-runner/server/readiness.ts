import { ServiceError } from '../../schemas/errors.ts';
import type { Services } from './services.ts';

const RETRY = { retryAfterSeconds: 2 };

/** Why this runner takes no work now, as its callers are told: `runner_busy` where its queue is full, `runner_unavailable` else. */
export function notReady({
  runs,
  loaded,
  session,
}: Pick<Services, 'runs' | 'loaded' | 'session'>): ServiceError | null {
  const unavailable = (message: string) => new ServiceError('runner_unavailable', message, RETRY);
  if (runs.draining) return unavailable('The runner is stopping.');
  const health = session();
  if (!loaded() || health === 'starting') return unavailable('The session does not answer yet.');
  if (health === 'silent') return unavailable('The session makes no progress.');
  if (health === 'failed') return unavailable("The session's own probe failed.");
  return runs.full ? new ServiceError('runner_busy', "The runner's queue is full.", RETRY) : null;
}
