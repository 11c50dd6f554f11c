import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { jobCreatedSchema, jobSchema } from '../../../schemas/api-jobs.ts';
import type { Edge } from './edge.ts';

export type Job = z.infer<typeof jobSchema>;

const PAUSE_MS = 250;
const TRIES_MAX = 400;

/**
 * A call that is made until it is answered otherwise than with a 5xx, as a client that wants its result makes it. Safe
 * under an `Idempotency-Key`, and for reading.
 */
async function insist(call: () => Promise<Response>): Promise<Response> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const reply = await call().catch(() => null);
    if (reply !== null && reply.status < 500 && reply.status !== 409) return reply;
    await reply?.body?.cancel();
    await wait(PAUSE_MS);
  }
  throw new Error('never answered');
}

/** Sends a volume to be segmented later, once, whatever breaks on the way; answers the job's id. */
export async function submitJob(edge: Edge, key: string, adapter: string, volume: Uint8Array): Promise<string> {
  const headers = { prefer: 'respond-async', 'idempotency-key': randomUUID() };
  const query = new URLSearchParams({ adapter }).toString();
  const reply = await insist(() => edge.call('POST', `/v1/segmentations?${query}`, { key, body: volume, headers }));
  if (reply.status !== 202) throw new Error(`expected 202, found ${reply.status} ${await reply.text()}`);
  return jobCreatedSchema.parse(await reply.json()).id;
}

export async function readJob(edge: Edge, key: string, id: string): Promise<Job> {
  const reply = await insist(() => edge.call('GET', `/v1/segmentations/${id}`, { key }));
  return jobSchema.parse(await reply.json());
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
  const reply = await insist(() => edge.call('GET', `/v1/segmentations/${id}/result`, { key }));
  if (reply.status !== 200) throw new Error(`expected 200, found ${reply.status} ${await reply.text()}`);
  return Buffer.from(await reply.arrayBuffer());
}
