import type { Context } from 'hono';
import { ServiceError } from '../../schemas/errors.ts';
import type { Call } from './headers.ts';
import type { Run } from './runs.ts';
import type { RunnerEnv, Services } from './services.ts';

/** Does the work of a call as one run: let in, cancelled where its caller goes away, ended whatever happens. */
export async function asRun<T>(
  c: Context<RunnerEnv>,
  { runs, loaded }: Services,
  call: Call,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  if (!loaded()) throw new ServiceError('runner_unavailable', 'The runner is starting.', { retryAfterSeconds: 2 });
  const run = runs.begin({ tenant: call.tenant ?? '', deadline: call.deadline, id: call.runId });
  const { outgoing } = c.env;
  const onClose = () => {
    if (!outgoing.writableFinished) run.cancel('The caller went away.');
  };
  outgoing.once('close', onClose);
  try {
    const result = await work(run);
    run.end('succeeded');
    return result;
  } catch (error) {
    run.end(error instanceof ServiceError && error.code === 'cancelled' ? 'cancelled' : 'failed');
    throw error;
  } finally {
    outgoing.off('close', onClose);
  }
}
