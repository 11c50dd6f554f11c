import { afterAll, beforeAll, expect, test } from 'vitest';
import { noiseVolume, smallModel } from '../support/small-model.ts';
import { labelMap, pushReady, serveBase } from './support/small-system.ts';
import { type Cluster, type ClusterRunner, startCluster } from './support/system.ts';

/** Enough that no runner is without one, but once in thousands of times. */
const ADAPTERS = 12;

let cluster: Cluster;
let key: string;
let volume: Uint8Array;
let homes: Map<string, ClusterRunner>;
let labels: Map<string, Buffer>;

const segment = (name: string) => cluster.edge.call('POST', `/v1/segmentations?adapter=${name}`, { key, body: volume });

beforeAll(async () => {
  const model = await smallModel();
  [cluster, volume] = await Promise.all([startCluster(2), noiseVolume([24, 28, 40])]);
  await serveBase(cluster, model);
  key = await cluster.makeTenant('hospital');
  homes = new Map();
  labels = new Map();
  for (let n = 0; n < ADAPTERS; n++) {
    const { bytes } = await model.adapter({ description: `number ${n}` });
    await pushReady(cluster, key, `task-${n}`, bytes);
    labels.set(`task-${n}`, await labelMap(await segment(`task-${n}`)));
    homes.set(`task-${n}`, await whoServes(`task-${n}`));
  }
});
afterAll(() => cluster.close());

/** Segmentations that a runner has answered since it started, by its own count. */
async function answered({ url }: ClusterRunner): Promise<number> {
  const reply = await fetch(new URL('/metrics', url)).catch(() => null);
  const text = (await reply?.text()) ?? '';
  return Number(/pdora_runner_requests_total\{route="\/segment",code="ok"\} (\d+)/.exec(text)?.[1] ?? 0);
}

/** Has a volume segmented with the adapter, as always, and finds the runner that did it. */
async function whoServes(name: string): Promise<ClusterRunner> {
  const before = await Promise.all(cluster.runners.map(answered));
  const made = await labelMap(await segment(name));
  expect(made.equals(labels.get(name) ?? Buffer.alloc(0))).toBe(true);
  const after = await Promise.all(cluster.runners.map(answered));
  const servers = cluster.runners.filter((_, n) => after[n] === (before[n] ?? 0) + 1);
  const [server] = servers;
  if (server === undefined || servers.length > 1) throw new Error(`${servers.length} runners answered`);
  return server;
}

function homeOf(runner: ClusterRunner): string[] {
  return [...homes].filter(([, home]) => home === runner).map(([name]) => name);
}

test('each adapter stays with one runner, where it is hot, and both have some', async () => {
  for (const runner of cluster.runners) expect(homeOf(runner)).not.toEqual([]);
  for (const [name, home] of homes) {
    expect((await segment(name)).headers.get('x-adapter-cache')).toBe('hot');
    expect(await whoServes(name)).toBe(home);
  }
});

test('the runner that has an adapter hot is the one that verified it', async () => {
  const { bytes } = await (await smallModel()).adapter({ description: 'new' });
  await pushReady(cluster, key, 'fresh', bytes);
  expect((await segment('fresh')).headers.get('x-adapter-cache')).toBe('hot');
});

test('where one dies, its adapters are served by the other; back again, it has them again', async () => {
  const [one, two] = cluster.runners;
  if (one === undefined || two === undefined) throw new Error('two were started');
  const [orphan = ''] = homeOf(one);
  await one.kill();
  // One call at most finds out; it is told so, and the next one is served.
  const found = await segment(orphan);
  expect([200, 503]).toContain(found.status);
  if (found.status === 503) expect(Number(found.headers.get('retry-after'))).toBeGreaterThan(0);
  for (const name of homes.keys()) expect(await whoServes(name)).toBe(two);
  const health = await cluster.edge.call('GET', '/healthz', { key: null });
  expect(await health.json()).toEqual({ status: 'ok', runners: { ready: 1, total: 2 } });

  const { bytes } = await (await smallModel()).adapter({ description: 'uploaded with one runner left' });
  await pushReady(cluster, key, 'late', bytes);

  await one.start();
  await expect.poll(() => whoServes(orphan), { timeout: 10_000, interval: 300 }).toBe(one);
  for (const [name, home] of homes) expect(await whoServes(name)).toBe(home);
});

test('one that drains on SIGTERM ends what it has, and the next call goes to the other', async () => {
  const [one, two] = cluster.runners;
  if (one === undefined || two === undefined) throw new Error('two were started');
  const [mine = ''] = homeOf(one);
  const slow = await noiseVolume([64, 96, 96]);
  const running = cluster.edge.call('POST', `/v1/segmentations?adapter=${mine}`, { key, body: slow });
  const busy = async () => (await (await fetch(new URL('/readyz', one.url))).text()).includes('"queue":1');
  await expect.poll(busy, { timeout: 10_000, interval: 20 }).toBe(true);
  const stopped = one.process().stop();
  await expect.poll(async () => (await segment(mine)).status, { timeout: 5_000, interval: 100 }).toBe(200);
  expect((await running).status).toBe(200);
  await stopped;
  expect(await whoServes(mine)).toBe(two);
});
