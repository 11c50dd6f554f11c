import { env } from 'cloudflare:workers';
import type { z } from 'zod';
import { jobCreatedSchema, jobSchema } from '../../../schemas/api-jobs.ts';
import { type Call, deliver, edge } from './edge.ts';

export const VOLUME = new Uint8Array(400).fill(7);

/** Sends a volume to be segmented later. */
export function submit(key: string, query = 'adapter=tumour', call: Call = {}): Promise<Response> {
  const headers = { prefer: 'respond-async', ...call.headers };
  const body = call.json === undefined ? (call.body ?? VOLUME) : null;
  return edge('POST', `/v1/segmentations?${query}`, { key, ...call, ...(body === null ? {} : { body }), headers });
}

/** Sends a volume and answers the job's id. */
export async function submitted(key: string, query?: string, call?: Call): Promise<string> {
  const reply = await submit(key, query, call);
  if (reply.status !== 202) throw new Error(`expected 202, found ${reply.status} ${await reply.text()}`);
  return jobCreatedSchema.parse(await reply.json()).id;
}

export async function shown(key: string, id: string): Promise<z.infer<typeof jobSchema>> {
  const reply = await edge('GET', `/v1/segmentations/${id}`, { key });
  if (reply.status !== 200) throw new Error(`expected 200, found ${reply.status} ${await reply.text()}`);
  return jobSchema.parse(await reply.json());
}

/** Delivers messages until none is left that a job begets. */
export async function deliverAll(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await deliver();
}

/** Keys of the bucket under a prefix. */
export async function objects(prefix: string): Promise<string[]> {
  return (await env.BLOBS.list({ prefix })).objects.map(({ key }) => key);
}

export async function auditOf(id: string): Promise<{ action: string; outcome: string; actor: string }[]> {
  const { results } = await env.DB.prepare('SELECT action, outcome, actor FROM audit WHERE subject = ? ORDER BY id')
    .bind(id)
    .all<{ action: string; outcome: string; actor: string }>();
  return results;
}
