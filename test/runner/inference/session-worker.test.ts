import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BaseWeights } from '../../../gpu-runner/inference/base-weights.ts';
import { writeValues } from '../../../gpu-runner/inference/exchange.ts';
import type { RunReply } from '../../../gpu-runner/inference/session-messages.ts';
import { SessionPool } from '../../../gpu-runner/inference/session-pool.ts';
import { SessionWorker } from '../../../gpu-runner/inference/session-worker.ts';
import { hashedBase, SMALL, SMALL_WINDOW } from '../../support/network.ts';
import { smallRun } from '../../support/session-host.ts';

const CLASSES = 2;
const WINDOW_MS = 10;

interface Sent {
  readonly id: number;
  readonly tenant: string;
  readonly windows: number;
  readonly decidedPath?: string;
}

/** A worker whose windows block its thread as the network's do, for as long as `take` says, and answer zeros. */
async function blockingWorker(onReply: (reply: RunReply) => void, take = () => WINDOW_MS) {
  const weights = new BaseWeights();
  const folder = await mkdtemp(join(tmpdir(), 'worker-test-'));
  onTestFinished(async () => {
    await weights.removeAll();
    await rm(folder, { recursive: true });
  });
  const logits = new Float32Array(CLASSES * SMALL_WINDOW[0] * SMALL_WINDOW[1] * SMALL_WINDOW[2]);
  const bind = () => async () => {
    for (const end = performance.now() + take(); performance.now() < end; );
    return logits;
  };
  const open = async () => ({ window: SMALL_WINDOW, bind, release: async () => {} });
  const pool = new SessionPool({ max: 1, memoryBytes: Number.POSITIVE_INFINITY }, open);
  const ended = new Map<number, (reply: RunReply) => void>();
  const worker = new SessionWorker(
    pool,
    (reply) => {
      onReply(reply);
      if (reply.type !== 'progress') ended.get(reply.id)?.(reply);
    },
    Date.now,
  );
  await weights.add(hashedBase(SMALL), (base) => worker.handle({ type: 'base', base }));

  /** Sends a run whose volume lies ready, and answers how it ends. */
  async function prepared({ id, tenant, windows, decidedPath = join(folder, `${id}.decided`) }: Sent) {
    const { adapter: _, runId: __, volume, ...run } = smallRun(windows, { classes: CLASSES });
    const volumePath = join(folder, `${id}.volume`);
    await writeValues(volumePath, volume);
    return async (): Promise<RunReply> => {
      const { promise, resolve } = Promise.withResolvers<RunReply>();
      ended.set(id, resolve);
      const files = { volumePath, decidedPath };
      worker.handle({ type: 'run', id, run: { ...run, ...files, adapter: null, tenant, deadline: Infinity } });
      return await promise;
    };
  }
  return { worker, prepared };
}

test('a small volume that comes beside a large one waits for few windows besides those in turn with its own', async () => {
  const windows = 3;
  let foreign = 0;
  const { worker, prepared } = await blockingWorker((reply) => {
    if (reply.id !== 1 || reply.type !== 'progress') return;
    foreign += 1;
    if (foreign === 3) coming();
  });
  const large = await prepared({ id: 1, tenant: 'large', windows: 400 });
  const small = await prepared({ id: 2, tenant: 'small', windows });
  const { promise: came, resolve: coming } = Promise.withResolvers<void>();
  const leaving = large();
  await came;
  const before = foreign;
  expect(await small()).toMatchObject({ type: 'done', windows });
  const waited = foreign - before;
  worker.handle({ type: 'cancel', id: 1 });
  expect(await leaving).toMatchObject({ type: 'failed', code: 'cancelled' });
  expect(waited).toBeGreaterThanOrEqual(windows - 1);
  // The one that it came in, the turns, and the one that its answer may leave in.
  expect(waited).toBeLessThanOrEqual(windows + 3);
});

test('tenants get as many windows whatever chance makes of the time that each took', async () => {
  const served = new Map([
    [1, 0],
    [2, 0],
  ]);
  let latest = 0;
  const over = Promise.withResolvers<void>();
  const { worker, prepared } = await blockingWorker(
    (reply) => {
      if (reply.type !== 'progress') return;
      latest = reply.id;
      served.set(reply.id, (served.get(reply.id) ?? 0) + 1);
      if ((served.get(1) ?? 0) + (served.get(2) ?? 0) === 60) over.resolve();
    },
    // Whoever comes after the first has bad luck with every one.
    () => (latest === 1 ? 12 : 3),
  );
  const runs = [
    await prepared({ id: 1, tenant: 'lucky', windows: 400 }),
    await prepared({ id: 2, tenant: 'unlucky', windows: 400 }),
  ];
  const outcomes = Promise.all(runs.map(async (run) => await run()));
  await over.promise;
  for (const id of [1, 2]) worker.handle({ type: 'cancel', id });
  await outcomes;
  expect(Math.abs((served.get(1) ?? 0) - (served.get(2) ?? 0))).toBeLessThanOrEqual(2);
});

test('where an answer finds no room the run ends as one that may come again', async () => {
  const { prepared } = await blockingWorker(() => {});
  const run = await prepared({ id: 1, tenant: 'any', windows: 1, decidedPath: '/dev/full' });
  expect(await run()).toMatchObject({ type: 'failed', code: 'runner_busy' });
});

test('where a volume finds no room it is refused as one that may come again', async () => {
  const writing = writeValues('/dev/full', new Float32Array(10));
  await expect(writing).rejects.toMatchObject({ code: 'runner_busy', retryAfterSeconds: 2 });
});
