import { setTimeout as sleep } from 'node:timers/promises';
import { jobSchema } from '../schemas/api-jobs.ts';
import { type Client, parseJson } from './client.ts';
import { eventData } from './event-stream.ts';
import { CliError } from './failure.ts';
import { hasEnded, type Job, jobPath, readJob } from './job.ts';
import { patiently } from './patiently.ts';
import { type Progress, progressBar, spinner } from './progress.ts';

/** The service says something every five seconds; a stream that is quiet for so long is dead. */
const QUIET_MOST_MS = 30_000;
const RECONNECT_MS = 1_000;

/** Waits for the end of a job, with a bar, through however many streams of events. */
export async function followJob(client: Client, id: string): Promise<Job> {
  const bar = jobBar();
  try {
    for (;;) {
      for await (const job of watch(client, id)) {
        bar.show(job);
        if (hasEnded(job)) return job;
      }
      // What lies between may hold events back.
      const job = await readJob(client, id);
      bar.show(job);
      if (hasEnded(job)) return job;
      await sleep(RECONNECT_MS);
    }
  } finally {
    bar.stop();
  }
}

/** The job each time the service tells of it, for as long as one stream of events lasts. */
async function* watch(client: Client, id: string): AsyncGenerator<Job> {
  const quiet = new AbortController();
  const timer = setTimeout(() => quiet.abort(), QUIET_MOST_MS);
  try {
    const events = { method: 'GET', signal: quiet.signal };
    const { body } = await patiently(() => {
      timer.refresh();
      return client.send(jobPath(id, '/events'), events);
    });
    if (body === null) return;
    for await (const data of eventData(heard(body, () => timer.refresh()))) {
      const job = jobSchema.safeParse(parseJson(data));
      if (!job.success) throw new CliError('bad_reply', 'the service told something else than a segmentation');
      yield job.data;
    }
  } catch (error) {
    if (!(error instanceof CliError) || !['unreachable', 'cancelled'].includes(error.code)) throw error;
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

async function* heard(stream: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    onChunk();
    yield chunk;
  }
}

/** How far a job is, on the terminal. */
function jobBar(): { show(job: Job): void; stop(): void } {
  let status: Job['status'] | undefined;
  let bar: Progress | undefined;
  return {
    show(job) {
      if (job.status !== status) {
        bar?.stop();
        bar = hasEnded(job) ? undefined : job.status === 'queued' ? spinner('queued') : progressBar('segmenting', 1);
        status = job.status;
      }
      bar?.update(job.progress);
    },
    stop: () => bar?.stop(),
  };
}
