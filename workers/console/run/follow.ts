import { Problem } from '../api/problem.ts';
import { type Api, type Job, pause } from '../api.ts';

const POLL_MS = 600;

export function hasEnded({ status }: Pick<Job, 'status'>): boolean {
  return status !== 'queued' && status !== 'running';
}

/** Waits for the end of a segmentation and tells of it meanwhile; a connection that is away is waited for. */
export async function follow(api: Api, id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const job = await api.job(id, signal);
      onChange(job);
      if (hasEnded(job)) return job;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'unreachable') throw error;
    }
    await pause(POLL_MS);
  }
}
