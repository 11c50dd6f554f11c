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
const EQUAL_MS = 20_000;
const FLOOD_AT_ONCE = 6;
const FLOOD_CALLS = 12;

const progressSchema = z.object({ progress: z.number() });

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
    return [await besideLarge(bench, small, large), await equalTenants(bench, small), await besideFlood(bench, small)];
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

async function equalTenants(bench: Bench, small: Uint8Array<ArrayBuffer>): Promise<Fairness> {
  const served = new Map<string, number>();
  const ending = AbortSignal.timeout(EQUAL_MS);
  const tenants = Array.from({ length: TENANTS }, (_, n) => `tenant-${n}`);
  const loop = (tenant: string) =>
    runUntil(ending, async () => {
      await segment(bench, tenant, small, ending);
      served.set(tenant, (served.get(tenant) ?? 0) + SMALL_WINDOWS);
    });
  await Promise.all(tenants.flatMap((tenant) => [loop(tenant), loop(tenant)]));
  const counts = tenants.map((tenant) => served.get(tenant) ?? 0);
  const most = Math.max(...counts);
  const found = (100 * (most - Math.min(...counts))) / most;
  return result('ten tenants with equal load, windows of answered calls, %', found, 10, `${counts.join(', ')} windows`);
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
async function begun({ test }: Bench, run: string): Promise<void> {
  const headers = { authorization: `Bearer ${RUNNER_TOKEN}` };
  for (;;) {
    const reply = await fetch(new URL(`/runs/${run}`, test.url), { headers });
    if (reply.ok && progressSchema.parse(await reply.json()).progress > 0) return;
    await sleep(20);
  }
}

function result(rule: string, found: number, allowed: number, detail: string): Fairness {
  return { rule, found: round(found), allowed: round(allowed), detail, within: found <= allowed };
}
