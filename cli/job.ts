import type { z } from 'zod';
import { jobSchema } from '../schemas/api-jobs.ts';
import { BASE_REF } from '../schemas/names.ts';
import type { Client } from './client.ts';
import { CliError } from './failure.ts';
import { type Made, readMade } from './made.ts';
import { writeAtomically } from './output.ts';
import { patiently } from './patiently.ts';
import { inWords } from './verdict.ts';

/** An asynchronous segmentation. */
export type Job = z.infer<typeof jobSchema>;

export function jobPath(id: string, part: '' | '/events' | '/result' | '/report' = ''): string {
  return `/v1/segmentations/${encodeURIComponent(id)}${part}`;
}

export async function readJob(client: Client, id: string): Promise<Job> {
  return await patiently(() => client.json('GET', jobPath(id), jobSchema));
}

export function hasEnded({ status }: Pick<Job, 'status'>): boolean {
  return status !== 'queued' && status !== 'running';
}

/** Throws the problem of a job that ended without a label map. */
export function checkSucceeded({ id, status, problem }: Job): void {
  if (status === 'succeeded') return;
  if (problem === null) throw new CliError(status, `the segmentation is ${status} [job ${id}]`);
  const lines = [problem.detail, ...(problem.problems ?? []).map(inWords)].join('; ');
  throw new CliError(problem.code, `${lines} [job ${id}]`);
}

/** Writes the label map of a job, whole or not at all; it must be what the job says and what `ref` asked for. */
export async function writeResult(client: Client, job: Job, ref: string, output: string): Promise<Made> {
  return await patiently(async () => {
    const reply = await client.send(jobPath(job.id, '/result'), { method: 'GET' });
    readMade(reply.headers, ref);
    const made = readMade(reply.headers, job.adapter_digest ?? BASE_REF);
    if (reply.body === null) throw new CliError('bad_reply', 'the service answered without a label map');
    await writeAtomically(output, reply.body);
    return made;
  });
}

/** Ends a job or, of one that has ended, erases all there is; whether it was erased. */
export async function endJob(client: Client, id: string, signal?: AbortSignal): Promise<boolean> {
  const call = { method: 'DELETE', ...(signal === undefined ? {} : { signal }) };
  const { status } = await client.send(jobPath(id), call);
  return status === 204;
}

/** Erases all there is of a job that has ended. One that is gone is erased. */
export async function eraseJob(client: Client, id: string): Promise<void> {
  await patiently(() => endJob(client, id)).catch((error: unknown) => {
    if (!(error instanceof CliError && error.code === 'not_found')) throw error;
  });
}
