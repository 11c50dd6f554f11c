import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageOf } from '../../schemas/api.ts';
import { auditEntrySchema } from '../../schemas/api-audit.ts';
import { noiseVolume, smallModel } from '../support/small-model.ts';
import { endOf, type Job, readJob, resultOf, submitJob } from './support/jobs.ts';
import { labelMap, pushReady, serveBase } from './support/small-system.ts';
import { type Cluster, startCluster } from './support/system.ts';

const JOBS = 300;
const SENT_AT_ONCE = 6;
const KILL_EVERY_MS = 3_000;
const CRON_EVERY_MS = 5_000;
const DONE_WITHIN_MS = 900_000;

const TASKS = ['one', 'two', 'three'];
const VOLUMES = 4;

let cluster: Cluster;
let key: string;
let volumes: Uint8Array[];
/** What each adapter makes of each volume, asked one after the other while nothing is wrong. */
const wanted = new Map<string, Buffer>();

beforeAll(async () => {
  const model = await smallModel();
  cluster = await startCluster(3, { PDORA_THREADS: '1' });
  await serveBase(cluster, model);
  key = await cluster.makeTenant('hospital');
  volumes = await Promise.all(Array.from({ length: VOLUMES }, (_, seed) => noiseVolume([24, 28, 40], seed)));
  for (const task of TASKS) {
    await pushReady(cluster, key, task, (await model.adapter({ description: task })).bytes);
    for (const [n, body] of volumes.entries()) {
      const reply = await cluster.edge.call('POST', `/v1/segmentations?adapter=${task}`, { key, body });
      wanted.set(`${task} ${n}`, await labelMap(reply));
    }
  }
});
afterAll(() => cluster.close());

/** Does a thing again and again until it is told to stop. */
function every(milliseconds: number, turn: (n: number) => Promise<void>): () => Promise<void> {
  const stopped = new AbortController();
  const running = (async () => {
    for (let n = 0; !stopped.signal.aborted; n++) {
      await wait(milliseconds, undefined, { signal: stopped.signal }).catch(() => {});
      if (!stopped.signal.aborted) await turn(n);
    }
  })();
  return async () => {
    stopped.abort();
    await running;
  };
}

const cronUntilStopped = () => every(CRON_EVERY_MS, () => cluster.edge.cron().catch(() => {}));

function whatOf(n: number): { task: string; volume: number } {
  return { task: TASKS[n % TASKS.length] ?? '', volume: n % VOLUMES };
}

async function submit(n: number): Promise<string> {
  const { task, volume } = whatOf(n);
  return submitJob(cluster.edge, key, task, volumes[volume] ?? new Uint8Array());
}

async function expectDone(n: number, job: Job): Promise<void> {
  const { task, volume } = whatOf(n);
  expect({ n, status: job.status, adapter: job.adapter, problem: job.problem }).toEqual({
    n,
    status: 'succeeded',
    adapter: `hospital/${task}`,
    problem: null,
  });
  const mask = await resultOf(cluster.edge, key, job.id);
  expect(mask.equals(wanted.get(`${task} ${volume}`) ?? Buffer.alloc(0))).toBe(true);
}

/** How often the audit says that each job was done. */
async function runsInAudit(): Promise<Map<string, number>> {
  const runs = new Map<string, number>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const reply = await cluster.edge.call('GET', `/v1/audit?limit=200${query}`, { key });
    const page = pageOf(auditEntrySchema).parse(await reply.json());
    for (const { action, subject, outcome } of page.data) {
      // The synchronous ones before it name the adapter.
      if (action !== 'segmentation.run' || subject.includes('/')) continue;
      expect(outcome).toBe('ok');
      runs.set(subject, (runs.get(subject) ?? 0) + 1);
    }
    cursor = page.next_cursor;
  }
  return runs;
}

test('300 jobs end succeeded with the right mask, once each, while runners die and the Worker is restarted', async () => {
  const until = Date.now() + DONE_WITHIN_MS;
  const stopCron = cronUntilStopped();
  let kills = 0;
  const stopKilling = every(KILL_EVERY_MS, async (n) => {
    const runner = cluster.runners[n % cluster.runners.length];
    await runner?.kill();
    kills += 1;
    await runner?.start();
  });
  const ids: string[] = [];
  const ended: Job[] = [];
  let next = 0;
  try {
    await Promise.all(
      Array.from({ length: SENT_AT_ONCE }, async () => {
        for (let n = next++; n < JOBS; n = next++) {
          if (n === JOBS / 2) await cluster.edge.restart();
          ids[n] = await submit(n);
        }
      }),
    );
    expect(new Set(ids).size).toBe(JOBS);
    for (const id of ids) ended.push(await endOf(cluster.edge, key, id, until));
  } finally {
    await stopKilling();
    await stopCron();
  }
  for (const [n, job] of ended.entries()) await expectDone(n, job);
  expect(await runsInAudit()).toEqual(new Map(ids.map((id) => [id, 1])));
  // The faults were felt, or nothing was shown.
  expect(kills).toBeGreaterThan(5);
  expect(ended.some(({ attempt }) => attempt > 1)).toBe(true);
}, 1_000_000);

test('with all runners dead jobs wait, and then succeed', async () => {
  await Promise.all(cluster.runners.map((runner) => runner.kill()));
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) ids.push(await submit(n));
  await wait(5_000);
  for (const id of ids) {
    expect(await readJob(cluster.edge, key, id)).toMatchObject({ status: 'queued', problem: null });
  }
  const stopCron = cronUntilStopped();
  try {
    await Promise.all(cluster.runners.map((runner) => runner.start()));
    for (const [n, id] of ids.entries()) await expectDone(n, await endOf(cluster.edge, key, id, Date.now() + 120_000));
  } finally {
    await stopCron();
  }
}, 300_000);
