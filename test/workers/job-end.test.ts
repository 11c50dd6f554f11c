import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { jobSchema } from '../../schemas/api-jobs.ts';
import { ADMIN, callEdge, deliver, edge, makeKey, problem, waiting } from './support/edge.ts';
import { adapterFile, push } from './support/files.ts';
import { auditOf, objects, shown, submitted } from './support/jobs.ts';
import { labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  world.runner.calls.length = 0;
});

const end = (id: string, key = world.key) => edge('DELETE', `/v1/segmentations/${id}`, { key });
const result = (id: string, key = world.key) => edge('GET', `/v1/segmentations/${id}/result`, { key });

/** A run that the runner keeps until it is let go. */
function held(): { asked: Promise<void>; release: () => void; signal: () => AbortSignal | undefined } {
  const asked = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  let seen: AbortSignal | undefined;
  world.runner.segment = async (headers, signal) => {
    seen = signal;
    asked.resolve();
    await late.promise;
    return labelMap(headers);
  };
  return { asked: asked.promise, release: () => late.resolve(), signal: () => seen };
}

describe('cancelling', () => {
  test('a job that waits ends it, with its input', async () => {
    const id = await submitted(world.key);
    const reply = await end(id);
    expect([reply.status, await reply.json()]).toEqual([202, { id, status: 'cancelled' }]);
    await deliver();
    expect(world.runner.calls).toEqual([]);
    expect(await shown(world.key, id)).toMatchObject({ status: 'cancelled', problem: { code: 'cancelled' } });
    expect(await objects('inputs/')).toEqual([]);
    expect(await problem(await result(id))).toMatchObject({ status: 409, code: 'cancelled' });
  });

  test('a job that runs reaches the runner, and its label map is not kept', async () => {
    const run = held();
    const asked: string[] = [];
    world.runner.run = (name, method) => {
      asked.push(`${method} ${name}`);
      return new Response(null, { status: 204 });
    };
    const id = await submitted(world.key);
    const delivered = deliver();
    await run.asked;
    expect((await end(id)).status).toBe(202);
    expect(asked).toEqual([`DELETE ${id}.1`]);
    run.release();
    await delivered;
    expect((await shown(world.key, id)).status).toBe('cancelled');
    expect([await objects('results/'), await objects('inputs/'), waiting()]).toEqual([[], [], []]);
    expect(await auditOf(id)).toMatchObject([
      { action: 'segmentation.create', outcome: 'ok' },
      { action: 'segmentation.cancel', outcome: 'ok' },
      { action: 'segmentation.run', outcome: 'cancelled' },
    ]);
  });

  test('twice at once cancels once', async () => {
    const id = await submitted(world.key);
    const statuses = (await Promise.all([end(id), end(id)])).map(({ status }) => status).toSorted((a, b) => a - b);
    // The second finds a job that has ended, and erases it.
    expect(statuses).toEqual([202, 204]);
    expect((await auditOf(id)).filter(({ action }) => action === 'segmentation.cancel')).toHaveLength(1);
  });
});

describe('erasing a job that has ended', () => {
  test('takes its label map and itself, but not its lines in the audit', async () => {
    const id = await submitted(world.key);
    await deliver();
    expect(await objects('results/')).toEqual([`results/${id}/1`]);
    expect((await end(id)).status).toBe(204);
    expect(await objects('')).not.toContainEqual(expect.stringContaining(id));
    expect(await problem(await edge('GET', `/v1/segmentations/${id}`, { key: world.key }))).toMatchObject({
      status: 404,
      code: 'not_found',
    });
    expect((await end(id)).status).toBe(404);
    expect((await auditOf(id)).map(({ action }) => action)).toEqual([
      'segmentation.create',
      'segmentation.run',
      'segmentation.delete',
    ]);
  });
});

describe('a label map', () => {
  test('is not there before the end', async () => {
    const id = await submitted(world.key);
    expect(await problem(await result(id))).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('is gone a day after it was made; the job still says how it ended', async () => {
    const id = await submitted(world.key);
    await deliver();
    await env.DB.prepare('UPDATE jobs SET result_until = 1').run();
    expect(await problem(await result(id))).toMatchObject({ status: 410, code: 'expired' });
    expect((await shown(world.key, id)).status).toBe('succeeded');
  });
});

describe('the list', () => {
  test('has one’s own, the newest first, a page at a time', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await submitted(world.key));
    await env.DB.prepare('UPDATE jobs SET created_at = 1000').run();
    const first = await page(world.key, 'limit=2');
    const second = await page(world.key, `limit=2&cursor=${first.next_cursor}`);
    const third = await page(world.key, `limit=2&cursor=${second.next_cursor}`);
    const found = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
    expect(new Set(found)).toEqual(new Set(ids));
    expect(found).toHaveLength(5);
    expect(third.next_cursor).toBeNull();
    expect((await page(world.other)).data).toEqual([]);
    expect((await page(ADMIN)).data).toHaveLength(5);
  });
});

describe('events', () => {
  test('tell each change until the end, and then the stream ends', async () => {
    const run = held();
    const id = await submitted(world.key);
    const { reply } = await callEdge('GET', `/v1/segmentations/${id}/events`, { key: world.key });
    expect(reply.headers.get('content-type')).toContain('text/event-stream');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const told = readEvents(reply);
    const delivered = deliver();
    await run.asked;
    await scheduler.wait(2_500);
    run.release();
    await delivered;
    const states = await told;
    expect(states.map(({ status }) => status)).toEqual(['queued', 'running', 'succeeded']);
    expect(states.at(-1)).toEqual(await shown(world.key, id));
  });

  test('end where the key is revoked meanwhile', async () => {
    const watcher = await makeKey('acme', ['segment']);
    const id = await submitted(world.key);
    const { reply } = await callEdge('GET', `/v1/segmentations/${id}/events`, { key: watcher.key });
    const told = readEvents(reply);
    await edge('DELETE', `/v1/tenants/acme/keys/${watcher.id}`, { key: ADMIN });
    await deliver();
    expect((await told).map(({ status }) => status)).not.toContain('succeeded');
  });
});

test('a job of another tenant is, on every route, one that is not there', async () => {
  const id = await submitted(world.key);
  await deliver();
  for (const [method, rest] of [
    ['GET', ''],
    ['GET', '/result'],
    ['GET', '/events'],
    ['DELETE', ''],
  ] as const) {
    const [theirs, nobodys] = await Promise.all(
      [id, crypto.randomUUID()].map((job) => edge(method, `/v1/segmentations/${job}${rest}`, { key: world.other })),
    );
    if (theirs === undefined || nobodys === undefined) throw new Error('no replies');
    const told = await problem(theirs);
    expect(told).toMatchObject({ status: 404, code: 'not_found' });
    expect(told).toEqual({ ...(await problem(nobodys)), request_id: expect.any(String) });
  }
  expect((await shown(world.key, id)).status).toBe('succeeded');
});

describe('while a job waits', () => {
  beforeEach(async () => {
    await env.DB.prepare("INSERT INTO grants VALUES ('acme', 'tumour', 'umbrella')").run();
  });

  test('a grant that is withdrawn holds no longer', async () => {
    const id = await submitted(world.other, 'adapter=acme/tumour');
    await env.DB.prepare('DELETE FROM grants').run();
    await deliver();
    expect(await shown(world.other, id)).toMatchObject({ status: 'failed', problem: { code: 'not_found' } });
    expect(world.runner.calls).toEqual([]);
  });

  test('a version that is deleted is not there', async () => {
    const id = await submitted(world.key);
    expect((await edge('DELETE', '/v1/adapters/tumour/versions/1', { key: world.key })).status).toBe(204);
    await deliver();
    expect(await shown(world.key, id)).toMatchObject({ status: 'failed', problem: { code: 'not_found' } });
  });

  test('one that has started ends with its label map all the same', async () => {
    const run = held();
    const id = await submitted(world.other, 'adapter=acme/tumour');
    const delivered = deliver();
    await run.asked;
    await env.DB.prepare('DELETE FROM grants').run();
    expect((await edge('DELETE', '/v1/adapters/tumour/versions/1', { key: world.key })).status).toBe(204);
    run.release();
    await delivered;
    expect((await shown(world.other, id)).status).toBe('succeeded');
  });
});

async function page(key: string, query = '') {
  const reply = await edge('GET', `/v1/segmentations?${query}`, { key });
  return reply.json<{ data: { id: string }[]; next_cursor: string | null }>();
}

async function readEvents(reply: Response) {
  const lines = (await reply.text()).split('\n').filter((line) => line.startsWith('data: {'));
  return lines.map((line) => jobSchema.parse(JSON.parse(line.slice('data: '.length))));
}
