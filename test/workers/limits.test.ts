import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { durableLimiter } from '../../workers/edge/limits/durable-limiter.ts';
import { consoleLog } from '../../workers/edge/log.ts';
import { traceOf } from '../../workers/edge/trace.ts';
import { ADMIN, callEdge, edge, problem } from './support/edge.ts';
import { adapterFile, push } from './support/files.ts';
import { LABEL_MAP, labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const numerically = (a: number, b: number) => a - b;
const volume = new Uint8Array(500);

/** Limits that a test can reach, of the tenant `acme` alone. */
async function limit(limits: Record<string, number>): Promise<void> {
  const reply = await edge('PUT', '/v1/tenants/acme/quota', { key: ADMIN, json: limits });
  if (reply.status !== 200) throw new Error(await reply.text());
}

const look = (key: string) => edge('GET', '/v1/adapters', { key });
const statuses = (replies: readonly Response[]) => replies.map((reply) => reply.status);
const many = <T>(count: number, make: () => Promise<T>) => Promise.all(Array.from({ length: count }, make));
const quota = { storedBytes: 0, waitingJobs: 0, segmentationsAtOnce: 2, requestsPerMinute: 2 };

describe('the rate', () => {
  test('every reply to a tenant says where it stands, and none to the operator or to nobody', async () => {
    await limit({ requests_per_minute: 30 });
    const first = await look(world.key);
    expect(first.headers.get('ratelimit-policy')).toBe('"requests";q=30;w=60');
    expect(first.headers.get('ratelimit')).toBe('"requests";r=29;t=2');
    const missing = await edge('GET', '/v1/adapters/nothing', { key: world.key });
    expect(missing.status).toBe(404);
    expect(missing.headers.get('ratelimit')).toBe('"requests";r=28;t=4');
    for (const call of [{ key: ADMIN }, {}, { key: 'wrong' }]) {
      const reply = await edge('GET', '/v1/adapters', call);
      expect([reply.headers.get('ratelimit'), reply.headers.get('ratelimit-policy')]).toEqual([null, null]);
    }
  });

  test('what is over it is refused, with the time to wait', async () => {
    await limit({ requests_per_minute: 3 });
    expect(statuses(await many(3, () => look(world.key)))).toEqual([200, 200, 200]);
    const reply = await look(world.key);
    expect(await problem(reply)).toMatchObject({ status: 429, code: 'rate_limited' });
    const wait = Number(reply.headers.get('retry-after'));
    // A token comes every 20 s.
    expect(wait).toBeGreaterThan(15);
    expect(wait).toBeLessThanOrEqual(20);
    expect(reply.headers.get('ratelimit-policy')).toBe('"requests";q=3;w=60');
    expect(reply.headers.get('ratelimit')).toBe(`"requests";r=0;t=${wait}`);
  });

  test('of many at once exactly as many as it allows are served, whichever key of the tenant they show', async () => {
    await limit({ requests_per_minute: 10 });
    const created = await edge('POST', '/v1/tenants/acme/keys', {
      key: ADMIN,
      json: { name: 'second', scopes: ['adapters:read'] },
    });
    const { key } = await created.json<{ key: string }>();
    const replies = await Promise.all([many(20, () => look(world.key)), many(20, () => look(key))]);
    expect(statuses(replies.flat()).filter((status) => status === 200)).toHaveLength(10);
    expect(new Set(statuses(replies.flat()))).toEqual(new Set([200, 429]));
  });

  test('calls that fail count too, those with a key of no scope among them', async () => {
    await limit({ requests_per_minute: 2 });
    expect((await edge('GET', '/v1/tenants', { key: world.key })).status).toBe(403);
    expect((await edge('GET', '/v1/adapters/nothing', { key: world.key })).status).toBe(404);
    expect((await edge('GET', '/v1/tenants', { key: world.key })).status).toBe(429);
  });

  test('one tenant over it changes nothing for another', async () => {
    await limit({ requests_per_minute: 1 });
    const [flood, calm] = await Promise.all([many(40, () => look(world.key)), many(20, () => look(world.other))]);
    expect(statuses(flood).filter((status) => status === 429)).toHaveLength(39);
    expect(statuses(calm)).toEqual(Array(20).fill(200));
    expect((await look(ADMIN)).status).toBe(200);
  });

  test('an object that is evicted has not forgotten', async () => {
    await limit({ requests_per_minute: 2 });
    await many(2, () => look(world.key));
    await evictDurableObject(env.TENANT_LIMITS.getByName('acme'));
    expect((await look(world.key)).status).toBe(429);
  });

  test('comes back with time', async () => {
    // Slow enough that none comes back while they are spent, on a busy machine too.
    await limit({ requests_per_minute: 6 });
    await many(6, () => look(world.key));
    const refused = await look(world.key);
    expect(refused.status).toBe(429);
    await scheduler.wait(Number(refused.headers.get('retry-after')) * 1_000);
    expect((await look(world.key)).status).toBe(200);
  });

  test('the body of a refused call is read, so that its caller sees the answer', async () => {
    await limit({ requests_per_minute: 1 });
    await look(world.key);
    let sent = 0;
    const { readable: body, writable } = new IdentityTransformStream();
    const sending = (async () => {
      const writer = writable.getWriter();
      for (; sent < 5; sent++) await writer.write(new Uint8Array(100));
      await writer.close();
    })();
    const headers = { 'content-length': '500' };
    expect((await edge('POST', '/v1/adapters/x/versions', { key: world.key, body, headers })).status).toBe(429);
    await sending;
    expect(sent).toBe(5);
  });
});

const failing = (error: Error) => {
  const stub = {
    admit: () => Promise.reject(error),
    begin: () => Promise.reject(error),
    end: () => Promise.reject(error),
  };
  const objects = new Proxy(env.TENANT_LIMITS, { get: () => () => stub });
  return durableLimiter({ objects, burst: env.BURST, log: consoleLog('r', traceOf(null)) });
};

describe('where the truth cannot be asked', () => {
  const slot = { id: 's', most: 1, until: Date.now() + 1000 };

  test('requests and segmentations go on, and the log says so without the tenant', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const limiter = failing(new Error('the object is gone'));
    expect(await limiter.admit('acme', quota, slot)).toEqual({ rate: null, begun: true });
    expect(await limiter.begin('acme', slot)).toBe(true);
    await limiter.end('acme', 's');
    expect(log).toHaveBeenCalledTimes(3);
    expect(JSON.stringify(log.mock.calls)).not.toContain('acme');
    log.mockRestore();
  });

  test('but not where it is the tenant itself that overloads its object', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const limiter = failing(Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true }));
    const { rate, begun } = await limiter.admit('acme', quota, slot);
    expect(rate).toMatchObject({ allowed: false, retryAfterSeconds: 1 });
    expect([begun, await limiter.begin('acme', slot)]).toEqual([false, false]);
    log.mockRestore();
  });

  test('a flood ends at the burst binding, before the object', async () => {
    const objects = new Proxy(env.TENANT_LIMITS, {
      get() {
        throw new Error('asked');
      },
    });
    const limiter = durableLimiter({
      objects,
      burst: { limit: async () => ({ success: false }) },
      log: consoleLog('r', traceOf(null)),
    });
    const { rate } = await limiter.admit('acme', quota, null);
    expect(rate).toMatchObject({ allowed: false, limit: 2, remaining: 0, retryAfterSeconds: 10 });
  });
});

const held = () =>
  runInDurableObject(env.TENANT_LIMITS.getByName('acme'), async (_, { storage }) => {
    return (await storage.list({ prefix: 'slot:' })).size;
  });

/** A runner that answers when it is told to. */
function slowRunner(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  world.runner.segment = async (headers) => {
    await promise;
    return labelMap(headers);
  };
  return resolve;
}

describe('segmentations at once', () => {
  const path = '/v1/segmentations?adapter=tumour';
  const start = (key = world.key, signal?: AbortSignal) =>
    callEdge('POST', path, { key, body: volume, ...(signal === undefined ? {} : { signal }) });

  beforeEach(async () => {
    await push(world.key, 'tumour', adapterFile());
    await push(world.other, 'tumour', adapterFile());
    await limit({ segmentations_at_once: 2 });
  });

  test('one more than the tenant may have is refused, and served once another has ended', async () => {
    const answer = slowRunner();
    const running = [start(), start()];
    await vi.waitFor(async () => expect(await held()).toBe(2));
    const reply = await edge('POST', path, { key: world.key, body: volume });
    expect(await problem(reply)).toMatchObject({ status: 429, code: 'quota_exceeded' });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    answer();
    for (const { reply: served, settled } of await Promise.all(running)) {
      expect(new Uint8Array(await served.arrayBuffer())).toEqual(LABEL_MAP);
      await settled();
    }
    expect(await held()).toBe(0);
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(200);
  });

  test('of many that start together exactly as many run as may', async () => {
    const answer = slowRunner();
    const all = many(12, () => start());
    await vi.waitFor(() => expect(world.runner.calls.filter((call) => call.path === '/segment')).toHaveLength(2));
    await scheduler.wait(100);
    answer();
    const replies = (await all).map(({ reply }) => reply);
    expect(statuses(replies).filter((status) => status === 200)).toHaveLength(2);
    expect(statuses(replies).filter((status) => status === 429)).toHaveLength(10);
  });

  test('a tenant that has all of its own takes none of another', async () => {
    const answer = slowRunner();
    const mine = many(6, () => start());
    const theirs = many(5, () => start(world.other));
    await vi.waitFor(() => expect(world.runner.calls.filter((call) => call.path === '/segment')).toHaveLength(7));
    answer();
    expect(statuses((await theirs).map(({ reply }) => reply))).toEqual(Array(5).fill(200));
    expect(statuses((await mine).map(({ reply }) => reply)).toSorted(numerically)).toEqual([
      200, 200, 429, 429, 429, 429,
    ]);
  });

  test('a slot is held until the label map has been delivered', async () => {
    const { reply, settled } = await start();
    await scheduler.wait(50);
    expect(await held()).toBe(1);
    expect(reply.headers.get('content-length')).toBe(String(LABEL_MAP.byteLength));
    await reply.arrayBuffer();
    await settled();
    expect(await held()).toBe(0);
  });

  test('or until its caller wants no more of it', async () => {
    const { reply, settled } = await start();
    await reply.body?.cancel();
    await settled();
    expect(await held()).toBe(0);
  });

  test('a call that fails, at the edge or at the runner, gives its slot back', async () => {
    world.runner.down = true;
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(503);
    world.runner.down = false;
    expect((await edge('POST', '/v1/segmentations?adapter=nothing', { key: world.key, body: volume })).status).toBe(
      404,
    );
    expect((await edge('POST', '/v1/segmentations', { key: world.key, body: volume })).status).toBe(400);
    expect((await edge('POST', `${path}&deadline=0.1`, { key: world.key, body: volume })).status).toBe(200);
    expect(await held()).toBe(0);
  });

  test('and so does one whose caller goes away', async () => {
    slowRunner();
    const caller = new AbortController();
    const call = start(world.key, caller.signal);
    await vi.waitFor(async () => expect(await held()).toBe(1));
    caller.abort();
    await vi.waitFor(async () => expect(await held()).toBe(0));
    void call.catch(() => {});
  });

  test('what a lost Worker left behind ends by itself, with the deadline', async () => {
    const stub = env.TENANT_LIMITS.getByName('acme');
    expect(await stub.begin({ id: 'lost', most: 2, until: Date.now() + 400 })).toBe(true);
    expect(await stub.begin({ id: 'kept', most: 2, until: Date.now() + 60_000 })).toBe(true);
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(429);
    await evictDurableObject(stub);
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(429);
    await scheduler.wait(450);
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(200);
    expect(await held()).toBe(1);
  });

  test('the same id takes one slot, however often it begins', async () => {
    const limiter = durableLimiter({
      objects: env.TENANT_LIMITS,
      burst: env.BURST,
      log: consoleLog('r', traceOf(null)),
    });
    const slot = { id: 'job', most: 1, until: Date.now() + 60_000 };
    expect(await many(3, () => limiter.begin('acme', slot))).toEqual([true, true, true]);
    expect(await limiter.begin('acme', { ...slot, id: 'other' })).toBe(false);
    await limiter.end('acme', 'job');
    await limiter.end('acme', 'job');
    expect(await limiter.begin('acme', { ...slot, id: 'other' })).toBe(true);
  });

  test('the operator has no such limit', async () => {
    await limit({ segmentations_at_once: 0 });
    expect((await edge('POST', path, { key: world.key, body: volume })).status).toBe(429);
    const asOperator = { key: ADMIN, body: volume };
    expect((await edge('POST', '/v1/segmentations?adapter=acme/tumour', asOperator)).status).toBe(200);
  });
});

test('nothing is left in the object of a tenant that is deleted', async () => {
  await look(world.key);
  const stub = env.TENANT_LIMITS.getByName('acme');
  const entries = () => runInDurableObject(stub, async (_, { storage }) => (await storage.list()).size);
  expect(await entries()).toBeGreaterThan(0);
  await edge('DELETE', '/v1/tenants/acme', { key: ADMIN });
  expect(await entries()).toBe(0);
});
