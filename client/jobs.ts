import { JobError } from './errors.ts';
import { patiently, pause } from './patiently.ts';
import type { Job } from './types.ts';
import { type Api, answerOf, signalled } from './wire.ts';

export interface WaitOptions {
  /** Each time the job was looked at. */
  readonly onProgress?: (job: Job) => void;
  readonly signal?: AbortSignal;
}

const FIRST_PAUSE_MS = 250;
const PAUSE_MOST_MS = 3000;

/** The job when it has succeeded. Throws `JobError` where it ended otherwise. */
export async function waitForJob(api: Api, id: string, { onProgress, signal }: WaitOptions = {}): Promise<Job> {
  const init = { params: { path: { id } }, ...signalled(signal) };
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(PAUSE_MOST_MS, wait * 1.5)) {
    const look = () => answerOf(() => api.GET('/v1/segmentations/{id}', init), signal);
    const { data: job } = await patiently(look, { repeatable: true, signal });
    onProgress?.(job);
    if (job.status === 'succeeded') return job;
    if (job.status === 'failed' || job.status === 'cancelled') throw endedOtherwise(job);
    await pause(wait, signal);
  }
}

function endedOtherwise({ status, problem }: Job): JobError {
  if (problem !== null) return new JobError(problem);
  return new JobError({ code: status === 'cancelled' ? 'cancelled' : 'unknown', detail: `The job is ${status}.` });
}
