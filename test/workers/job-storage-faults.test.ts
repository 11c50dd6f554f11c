import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import worker from '../../workers/edge/index.ts';
import { bindings, callEdge, cron, deliver, edge, problem, waiting } from './support/edge.ts';
import { faultyStorage, type Weather, weather } from './support/faulty-storage.ts';
import { adapterFile, push } from './support/files.ts';
import { auditOf, objects, shown, VOLUME } from './support/jobs.ts';
import { heldQueue } from './support/queue.ts';
import { LABEL_MAP } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const JOBS = 15;
const TURNS_MAX = 60;

beforeEach(() => push(world.key, 'tumour', adapterFile()));

/** Sends a volume until it is answered, as a client with an `Idempotency-Key` may. */
async function insist(now: Weather, stormy: Env, key: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    now.bad = tries < 6;
    const headers = { prefer: 'respond-async', 'idempotency-key': key };
    const call = { key: world.key, body: VOLUME, headers, env: stormy };
    const { reply, settled } = await callEdge('POST', '/v1/segmentations?adapter=tumour', call);
    const answer = new Response(await reply.arrayBuffer(), reply);
    await settled().catch(() => {});
    now.bad = false;
    if (answer.status === 202) return (await answer.json<{ id: string }>()).id;
    const { status, code } = await problem(answer);
    // The call whose answer was lost holds its key until its lease runs out.
    if (status === 409) await env.DB.prepare('UPDATE idempotency SET lease_until = 1').run();
    else expect([status, code]).toEqual([503, 'storage_unavailable']);
  }
}

/** One turn of the queue and the cron while the storage fails. */
async function turn(now: Weather, stormy: Env): Promise<void> {
  const queue = heldQueue();
  queue.waiting.push(...waiting().splice(0));
  now.bad = true;
  await queue.deliver({ ...stormy, JOBS: queue.binding });
  const context = createExecutionContext();
  const controller = { scheduledTime: Date.now(), cron: '* * * * *', noRetry: () => {} };
  await worker.scheduled(controller, { ...stormy, JOBS: queue.binding }, context).catch(() => {});
  await waitOnExecutionContext(context).catch(() => {});
  now.bad = false;
  waiting().push(...queue.waiting);
  // What a lost answer left running is, in time, taken over; what has no message gets one.
  await env.DB.prepare("UPDATE jobs SET lease_until = 1 WHERE status IN ('queued', 'running')").run();
}

const open = async () =>
  (await env.DB.prepare("SELECT count(*) AS n FROM jobs WHERE status IN ('queued', 'running')").first<{ n: number }>())
    ?.n;

describe.each([1, 2])('with one call in ten of D1 or R2 failing (%i)', (seed) => {
  test('every job is taken in once, ends succeeded once, and leaves nothing but its label map', async () => {
    const now = weather(seed, 0.1);
    const stormy = faultyStorage(bindings(), now);
    const ids: string[] = [];
    for (let n = 0; n < JOBS; n++) ids.push(await insist(now, stormy, `key-${n}`));
    expect(new Set(ids).size).toBe(JOBS);
    for (let n = 0; n < 6; n++) await turn(now, stormy);
    expect(now.failed.before).toBeGreaterThan(10);
    expect(now.failed.after).toBeGreaterThan(10);
    for (let n = 0; n < TURNS_MAX && (await open()) !== 0; n++) {
      await cron();
      await deliver();
    }
    expect(await env.DB.prepare('SELECT count(*) AS n FROM jobs').first()).toEqual({ n: JOBS });
    for (const id of ids) {
      const job = await shown(world.key, id);
      expect(job).toMatchObject({ status: 'succeeded', problem: null });
      const result = await edge('GET', `/v1/segmentations/${id}/result`, { key: world.key });
      expect(new Uint8Array(await result.arrayBuffer())).toEqual(LABEL_MAP);
      const lines = (await auditOf(id)).map(({ action, outcome }) => `${action} ${outcome}`);
      expect(lines).toEqual(['segmentation.create ok', 'segmentation.run ok']);
      expect((await edge('DELETE', `/v1/segmentations/${id}`, { key: world.key })).status).toBe(204);
    }
    // Attempts whose answer was lost leave what housekeeping takes when it is an hour old.
    const left = await objects('results/');
    for (const key of left) expect(ids).toContain(key.split('/')[1]);
  }, 120_000);
});
