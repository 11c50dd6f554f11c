import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { jobCreatedSchema, jobSchema } from '../../../schemas/api-jobs.ts';
import type { Edge } from './edge.ts';

export type Job = z.infer<typeof jobSchema>;

const PAUSE_MS = 250;
const TRIES_MAX = 400;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * A call that is made until it is answered whole and otherwise than with a 5xx, as a client that wants its result makes
 * it. Safe under an `Idempotency-Key`, and for reading.
 */
async function insist(call: () => Promise<Response>, wanted: number): Promise<Buffer> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    // A Worker that ends may end in the middle of an answer.
    const answer = await whole(call).catch(() => null);
    if (answer?.status === wanted) return answer.body;
    if (answer !== null && answer.status < 500 && answer.status !== 409) {
      throw new Error(`expected ${wanted}, found ${answer.status} ${answer.body.toString()}`);
    }
    await wait(PAUSE_MS);
  }
  throw new Error('never answered');
}

async function whole(call: () => Promise<Response>): Promise<Answer> {
  const reply = await call();
  return { status: reply.status, body: Buffer.from(await reply.arrayBuffer()) };
}

/** Sends a volume to be segmented later, once, whatever breaks on the way; answers the job's id. */
export async function submitJob(
  edge: Edge,
  key: string,
  adapter: string,
  volume: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const headers = { prefer: 'respond-async', 'idempotency-key': randomUUID(), ...more };
  const query = new URLSearchParams({ adapter }).toString();
  const call = () => edge.call('POST', `/v1/segmentations?${query}`, { key, body: volume, headers });
  return jobCreatedSchema.parse(JSON.parse((await insist(call, 202)).toString())).id;
}

export async function readJob(edge: Edge, key: string, id: string): Promise<Job> {
  const body = await insist(() => edge.call('GET', `/v1/segmentations/${id}`, { key }), 200);
  return jobSchema.parse(JSON.parse(body.toString()));
}

/** Waits for the end of a job. */
export async function endOf(edge: Edge, key: string, id: string, until: number): Promise<Job> {
  for (;;) {
    const job = await readJob(edge, key, id);
    if (job.status !== 'queued' && job.status !== 'running') return job;
    if (Date.now() > until) throw new Error(`job ${id} is ${job.status} after ${job.attempt} attempts`);
    await wait(PAUSE_MS);
  }
}

export async function resultOf(edge: Edge, key: string, id: string): Promise<Buffer> {
  return await insist(() => edge.call('GET', `/v1/segmentations/${id}/result`, { key }), 200);
}
