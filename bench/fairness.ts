import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { callHeaders, RUNNER_TOKEN, startTestRunner, type TestRunner } from '../test/support/runner.ts';
import { type ModelFile, noiseVolume, type SmallModel, smallModel } from '../test/support/small-model.ts';
import { percentile, round } from './support/statistics.ts';

const LARGE = [96, 96, 224] as const;
const SMALL = [48, 48, 96] as const;
/** Two, two and two, at an overlap of a half. */
const SMALL_WINDOWS = 2 * 2 * 2;
const ROUNDS = 5;
const TENANTS = 10;
/** Until all are in. */
const COMING_MS = 3_000;
const EQUAL_MS = 25_000;
const FLOOD_AT_ONCE = 6;
const FLOOD_CALLS = 20;

const stateSchema = z.object({ windows: z.object({ done: z.number() }) });

export interface Fairness {
  readonly rule: string;
  /** In the unit of the rule. */
  readonly found: number;
  readonly allowed: number;
  readonly detail: string;
  readonly within: boolean;
}

interface Bench {
  readonly test: TestRunner;
  readonly model: SmallModel;
  readonly adapter: ModelFile;
}

/** What tenants notice of each other, through a runner's own HTTP, at feature size 12. */
export async function fairness(): Promise<Fairness[]> {
  const test = await startTestRunner({ PDORA_QUEUE_LIMIT: '64' });
  try {
    const model = await smallModel();
    const adapter = await model.adapter();
    test.edge.put(model.base);
    test.edge.put(adapter);
    const bench = { test, model, adapter };
    const small = new Uint8Array(await noiseVolume(SMALL));
    const large = new Uint8Array(await noiseVolume(LARGE));
    await segment(bench, 'warm', small);
    return [
      await besideLarge(bench, small, large),
      ...(await equalTenants(bench, small)),
      await besideFlood(bench, small),
    ];
  } finally {
    await test.close();
  }
}

interface Segmented {
  readonly milliseconds: number;
  readonly inferMilliseconds: number;
}

/** One call, from its first byte to its answer's last. */
async function segment(
  { test, model, adapter }: Bench,
  tenant: string,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | null = null,
  run: string = randomUUID(),
): Promise<Segmented> {
  const began = performance.now();
  const headers = { ...callHeaders(model.base, adapter), 'x-tenant': tenant, 'x-run-id': run };
  const reply = await fetch(new URL('/segment', test.url), { method: 'POST', headers, body, signal });
  const { status } = reply;
  const infer = /infer;dur=([\d.]+)/.exec(reply.headers.get('server-timing') ?? '')?.[1];
  await reply.arrayBuffer();
  if (status !== 200) throw new Error(`a segmentation answered ${status}`);
  return { milliseconds: performance.now() - began, inferMilliseconds: Number(infer) };
}

async function besideLarge(
  bench: Bench,
  small: Uint8Array<ArrayBuffer>,
  large: Uint8Array<ArrayBuffer>,
): Promise<Fairness> {
  const alone: Segmented[] = [];
  for (let n = 0; n < ROUNDS; n++) alone.push(await segment(bench, 'small', small));
  const leaving = new AbortController();
  const run = randomUUID();
  const running = segment(bench, 'large', large, leaving.signal, run).catch(() => undefined);
  await begun(bench, run);
  const beside: number[] = [];
  for (let n = 0; n < ROUNDS; n++) beside.push((await segment(bench, 'small', small)).milliseconds);
  leaving.abort();
  await running;
  const own = percentile(
    alone.map(({ milliseconds }) => milliseconds),
    0.5,
  );
  const window = percentile(
    alone.map(({ inferMilliseconds }) => inferMilliseconds / SMALL_WINDOWS),
    0.5,
  );
  const found = percentile(beside, 0.5);
  const allowed = 2 * own + 3 * window;
  return result(
    'a small volume beside a large one, ms',
    found,
    allowed,
    `${round(own)} ms alone, ${round(window)} ms a window`,
  );
}

async function equalTenants(bench: Bench, small: Uint8Array<ArrayBuffer>): Promise<Fairness[]> {
  const leaving = new AbortController();
  const { signal } = leaving;
  const runs = new Map(Array.from({ length: TENANTS }, (_, n): [string, string[]] => [`tenant-${n}`, []]));
  const loop = ([tenant, own]: [string, string[]]) =>
    runUntil(signal, async () => {
      const run = randomUUID();
      own.push(run);
      await segment(bench, tenant, small, signal, run);
    });
  const served = async () =>
    await Promise.all(
      [...runs.values()].map(async (own) => {
        const windows = await Promise.all(own.map(async (run) => await windowsDone(bench, run)));
        return windows.reduce((sum, done) => sum + done, 0);
      }),
    );
  const loops = [...runs].flatMap((one) => [loop(one), loop(one)]);
  await sleep(COMING_MS);
  const [before, began, startedAt] = [await served(), await deviceSeconds(bench), performance.now()];
  await sleep(EQUAL_MS);
  const [after, ended, endedAt] = [await served(), await deviceSeconds(bench), performance.now()];
  leaving.abort();
  await Promise.all(loops);
  const counts = after.map((windows, n) => windows - (before[n] ?? 0));
  const most = Math.max(...counts);
  const apart = (100 * (most - Math.min(...counts))) / most;
  const elapsed = (endedAt - startedAt) / 1000;
  const idle = 100 * (1 - (ended - began) / elapsed);
  return [
    result('ten tenants with equal load, windows served, %', apart, 10, `${counts.join(', ')} windows`),
    result(
      'the device without a window while twenty calls wait, % of the time',
      idle,
      5,
      `${round(ended - began)} of ${round(elapsed)} s at work`,
    ),
  ];
}

async function besideFlood(bench: Bench, small: Uint8Array<ArrayBuffer>): Promise<Fairness> {
  const quiet = async () => {
    const taken: number[] = [];
    for (let n = 0; n < FLOOD_CALLS; n++) taken.push((await segment(bench, 'quiet', small)).milliseconds);
    return percentile(taken, 0.95);
  };
  const beside = async (atOnce: number) => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const loops = Array.from({ length: atOnce }, () =>
      runUntil(signal, async () => void (await segment(bench, 'other', small, signal))),
    );
    const found = await quiet();
    leaving.abort();
    await Promise.all(loops);
    return found;
  };
  const fair = await beside(1);
  const flooded = await beside(FLOOD_AT_ONCE);
  const detail = `p95 ${round(fair)} ms beside one call at a time of another tenant, ${round(flooded)} ms beside ${FLOOD_AT_ONCE}`;
  return result('the p95 of others beside a flood, times', flooded / fair, 1.3, detail);
}

/** Again and again until the signal, whose own failures do not count. */
async function runUntil(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Waits until the device has begun with the only run there is. */
async function begun(bench: Bench, run: string): Promise<void> {
  while ((await windowsDone(bench, run)) === 0) await sleep(20);
}

/** Windows of a run so far, whether it goes on or has ended. */
async function windowsDone({ test }: Bench, run: string): Promise<number> {
  const headers = { authorization: `Bearer ${RUNNER_TOKEN}` };
  const reply = await fetch(new URL(`/runs/${run}`, test.url), { headers });
  const body: unknown = await reply.json();
  return reply.ok ? stateSchema.parse(body).windows.done : 0;
}

async function deviceSeconds({ test }: Bench): Promise<number> {
  const text = await (await fetch(new URL('/metrics', test.url))).text();
  return Number(/^pdora_runner_device_seconds_total ([\d.]+)/m.exec(text)?.[1]);
}

function result(rule: string, found: number, allowed: number, detail: string): Fairness {
  return { rule, found: round(found), allowed: round(allowed), detail, within: found <= allowed };
}
