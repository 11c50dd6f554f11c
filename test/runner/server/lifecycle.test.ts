import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newHeader } from '../../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import {
  callHeaders,
  problemOf,
  RUNNER_TOKEN,
  startEdgeDouble,
  startTestRunner,
  type TestRunner,
} from '../../support/runner.ts';
import { type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

const authorization = `Bearer ${RUNNER_TOKEN}`;
/** 30 windows: seconds on any machine. */
const SLOW_SHAPE = [64, 96, 96] as const;
const SLOW_CALLER_MS = 1_000;
/** Several windows long. */
const IDLE_MS = 800;
/** What Linux keeps of a connection on both sides by default, 4 MiB and 6 MiB. */
const SOCKETS_HOLD_BYTES = 12e6;

let model: SmallModel;
let adapter: ModelFile;
let slow: Uint8Array<ArrayBuffer>;
let quick: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  model = await smallModel();
  adapter = await model.adapter();
  slow = new Uint8Array(await noiseVolume(SLOW_SHAPE));
  quick = new Uint8Array(await noiseVolume([20, 20, 20]));
});

function post(
  url: string,
  headers: Record<string, string>,
  body: NonNullable<RequestInit['body']>,
  signal: AbortSignal | null = null,
) {
  return fetch(new URL('/segment', url), { method: 'POST', headers, body, signal });
}

const stateSchema = z.object({ status: z.string().or(z.number()), progress: z.number().optional() });

async function state(url: string, run: string): Promise<z.infer<typeof stateSchema>> {
  const reply = await fetch(new URL(`/runs/${run}`, url), { headers: { authorization } });
  return stateSchema.parse(await reply.json());
}

/** Few windows for the network, for it sees every fourth voxel on each axis, and a large answer. */
function fineVolume(): Uint8Array {
  const shape = [144, 144, 144] as const;
  const affine = Float64Array.of(0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0, 1);
  const data = Float32Array.from({ length: 144 ** 3 }, (_, n) => n % 251);
  return encodeNifti({ header: newHeader(shape, affine), datatype: 'float32', data });
}

function damaged(n: number): Uint8Array<ArrayBuffer> {
  return slow.slice(0, 10_000 + n).fill(n % 251, 5_000, 5_000 + (n % 97));
}

/** Starts a run that takes seconds and waits until its first windows are done. */
async function startSlowRun(url: string, of: ModelFile | null = adapter, signal: AbortSignal | null = null) {
  const headers = callHeaders(model.base, of);
  const run = headers['x-run-id'] ?? '';
  const reply = post(url, headers, slow, signal);
  reply.catch(() => {});
  await expect.poll(async () => (await state(url, run)).progress, { timeout: 20_000, interval: 20 }).toBeGreaterThan(0);
  return { run, reply };
}

async function expectNextRunWorks(url: string): Promise<void> {
  const reply = await post(url, callHeaders(model.base, adapter), quick);
  expect(reply.status).toBe(200);
  await reply.arrayBuffer();
}

const GAUGES = {
  bodies: /^pdora_runner_admitted_bytes\{of="bodies"\} (\d+)/m,
  volumes: /^pdora_runner_admitted_bytes\{of="volumes"\} (\d+)/m,
  windows: /^pdora_runner_windows_total (\d+)/m,
};

async function gauges(url: string): Promise<Record<keyof typeof GAUGES, number>> {
  const text = await (await fetch(new URL('/metrics', url))).text();
  const read = (pattern: RegExp) => Number(pattern.exec(text)?.[1]);
  return { bodies: read(GAUGES.bodies), volumes: read(GAUGES.volumes), windows: read(GAUGES.windows) };
}

/** The only run there is ends by `leave`: all memory given to it is free soon, and the device goes on for no more than its window. */
async function expectGivenBack(url: string, run: string, leave: () => Promise<void>): Promise<void> {
  expect((await gauges(url)).volumes).toBeGreaterThan(1e6);
  await leave();
  await expect.poll(async () => (await state(url, run)).status, { timeout: 2000, interval: 5 }).toBe('cancelled');
  const { windows } = await gauges(url);
  await expect.poll(() => gauges(url), { timeout: 2000, interval: 20 }).toMatchObject({ bodies: 0, volumes: 0 });
  await sleep(IDLE_MS);
  // The one it was in, and one that was done and not told yet.
  expect((await gauges(url)).windows).toBeLessThanOrEqual(windows + 2);
}

/** Asks until told to stop; answers every status and the longest that a reply took. */
function watchHealth(url: string) {
  const watching = new AbortController();
  const statuses = new Set<number>();
  let slowest = 0;
  const done = (async () => {
    while (!watching.signal.aborted) {
      const start = performance.now();
      const reply = await fetch(new URL('/healthz', url));
      await reply.arrayBuffer();
      statuses.add(reply.status);
      slowest = Math.max(slowest, performance.now() - start);
      await sleep(10);
    }
  })();
  return async () => {
    watching.abort();
    await done;
    return { statuses: [...statuses], slowest };
  };
}

describe('a run and the runner around it', () => {
  let test: TestRunner;

  beforeAll(async () => {
    test = await startTestRunner({ PDORA_QUEUE_LIMIT: '4' });
    test.edge.put(model.base);
    test.edge.put(adapter);
    await expectNextRunWorks(test.url);
  });

  afterAll(async () => await test.close());

  it('answers about its health while it works on voxels and windows', async () => {
    const stop = watchHealth(test.url);
    const reply = await post(test.url, { ...callHeaders(model.base, adapter), 'x-output': 'probabilities' }, slow);
    expect(reply.status).toBe(200);
    await reply.arrayBuffer();
    const health = await stop();
    expect(health.statuses).toEqual([200]);
    expect(health.slowest).toBeLessThan(500);
  });

  it('loses only the run of a killed session, and runs the next one', async () => {
    const stop = watchHealth(test.url);
    const { run, reply } = await startSlowRun(test.url);
    const pid = test.runner.childPid();
    process.kill(pid ?? 0, 'SIGKILL');
    const problem = await problemOf(await reply);
    expect(problem).toMatchObject({ status: 503, code: 'runner_unavailable' });
    expect(await state(test.url, run)).toMatchObject({ status: 'failed' });
    await expectNextRunWorks(test.url);
    expect(test.runner.childPid()).not.toBe(pid);
    expect((await stop()).statuses).toEqual([200]);
  });

  it('cancels a run between its windows', async () => {
    const { run, reply } = await startSlowRun(test.url);
    const cancel = await fetch(new URL(`/runs/${run}`, test.url), { method: 'DELETE', headers: { authorization } });
    expect(cancel.status).toBe(202);
    expect(await problemOf(await reply)).toMatchObject({ status: 409, code: 'cancelled' });
    expect(await state(test.url, run)).toMatchObject({ status: 'cancelled' });
    await expectNextRunWorks(test.url);
  });

  it('cancels the run of a caller who goes away', async () => {
    const caller = new AbortController();
    const { run } = await startSlowRun(test.url, adapter, caller.signal);
    caller.abort();
    await expect.poll(async () => (await state(test.url, run)).status, { timeout: 2000 }).toBe('cancelled');
    await expectNextRunWorks(test.url);
  });

  it('gives back all its memory, and the device within one window, when it is cancelled or its caller goes away', async () => {
    const caller = new AbortController();
    const gone = await startSlowRun(test.url, adapter, caller.signal);
    await expectGivenBack(test.url, gone.run, async () => caller.abort());
    const cancelled = await startSlowRun(test.url);
    await expectGivenBack(test.url, cancelled.run, async () => {
      await fetch(new URL(`/runs/${cancelled.run}`, test.url), { method: 'DELETE', headers: { authorization } });
    });
    await expectNextRunWorks(test.url);
  });

  it('refuses a run beyond its queue, and one with the id of another', async () => {
    const first = await startSlowRun(test.url);
    const same = { ...callHeaders(model.base, adapter), 'x-run-id': first.run };
    expect(await problemOf(await post(test.url, same, quick))).toMatchObject({ status: 409, code: 'conflict' });
    const leaver = new AbortController();
    const held = await startSlowRun(test.url, adapter, leaver.signal);
    const own = await problemOf(await post(test.url, callHeaders(model.base, adapter), quick));
    expect(own).toMatchObject({ code: 'runner_busy', detail: "The tenant's part of the runner's queue is full." });
    const clinic = () => ({ ...callHeaders(model.base, adapter), 'x-tenant': 'clinic' });
    const left = post(test.url, clinic(), slow, leaver.signal);
    const second = post(test.url, clinic(), slow);
    await expect.poll(async () => (await fetch(new URL('/readyz', test.url))).status).toBe(503);
    const third = await post(test.url, { ...clinic(), 'x-tenant': 'third' }, quick);
    expect(third.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await problemOf(third)).toMatchObject({ detail: "The runner's queue is full.", code: 'runner_busy' });
    leaver.abort();
    await Promise.allSettled([held.reply, left]);
    await fetch(new URL(`/runs/${first.run}`, test.url), { method: 'DELETE', headers: { authorization } });
    expect((await second).status).toBe(200);
    await (await first.reply).arrayBuffer();
    expect((await fetch(new URL('/readyz', test.url))).status).toBe(200);
  });

  it('serves on, its memory where it was, after hundreds of damaged volumes', async () => {
    const flood = async (from: number, to: number) => {
      for (let n = from; n < to; n += 2) {
        const headers = () => callHeaders(model.base, adapter);
        const replies = await Promise.all([n, n + 1].map((m) => post(test.url, headers(), damaged(m))));
        for (const reply of replies) expect((await problemOf(reply)).code).toBe('invalid_volume');
      }
    };
    await flood(0, 400);
    const before = process.memoryUsage.rss();
    await flood(400, 800);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64e6);
    await expectNextRunWorks(test.url);
  });
});

describe('the runner as a process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runner-process-'));

  const children: ChildProcess[] = [];

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  function start(environment: Record<string, string>) {
    const child = spawn(process.execPath, ['gpu-runner/main.ts'], {
      env: { ...process.env, PDORA_PROVIDERS: 'cpu', PDORA_THREADS: '2', PDORA_CACHE_DIR: folder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    const exited = once(child, 'exit').then(([code]: (number | null)[]) => code);
    return { child, exited, output: () => output };
  }

  async function startReady(environment: Record<string, string> = {}) {
    const path = join(folder, 'base.safetensors');
    writeFileSync(path, model.base.bytes);
    const own = { PDORA_RUNNER_TOKEN: RUNNER_TOKEN, PDORA_RUNNER_PORT: '0', PDORA_BASE: path };
    const started = start({ ...own, ...environment });
    await expect.poll(started.output, { timeout: 20_000 }).toContain('"event":"ready"');
    const port = /"event":"listening","port":(\d+)/.exec(started.output())?.[1];
    return { ...started, url: `http://127.0.0.1:${port}` };
  }

  it('ends what runs on SIGTERM, takes nothing new meanwhile, and exits with 0', async () => {
    const { child, exited, url } = await startReady();
    const { reply } = await startSlowRun(url, null);
    child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(new URL('/readyz', url))).status).toBe(503);
    expect(await problemOf(await post(url, callHeaders(model.base, null), quick))).toMatchObject({
      code: 'runner_unavailable',
    });
    expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    const ended = await reply;
    expect(ended.status).toBe(200);
    expect((await ended.arrayBuffer()).byteLength).toBe(Number(ended.headers.get('content-length')));
    expect(await exited).toBe(0);
  });

  it('lets a reply go out to a caller who is slow to take it, then exits with 0', async () => {
    const edge = await startEdgeDouble();
    const coarse = await model.adapter({ preprocessing: { spacing: [1, 1, 1] } });
    edge.put(coarse);
    const { child, exited, url } = await startReady({ PDORA_EDGE_URL: edge.url });
    const big = fineVolume();
    const headers = {
      ...callHeaders(model.base, coarse),
      'x-output': 'probabilities',
      'content-length': big.byteLength,
    };
    const call = request(new URL('/segment', url), { method: 'POST', headers });
    call.end(big);
    const [reply]: IncomingMessage[] = await once(call, 'response');
    expect(reply?.statusCode).toBe(200);
    const length = Number(reply?.headers['content-length']);
    // More than sockets hold, so that some of it is still with the runner.
    expect(length).toBeGreaterThan(SOCKETS_HOLD_BYTES);
    child.kill('SIGTERM');
    await sleep(SLOW_CALLER_MS);
    expect(child.exitCode).toBeNull();
    let received = 0;
    for await (const chunk of reply ?? []) received += chunk.byteLength;
    expect(received).toBe(length);
    expect(await exited).toBe(0);
    await edge.close();
  });

  it('exits at once on a second signal', async () => {
    const { child, exited, url } = await startReady();
    await startSlowRun(url, null);
    child.kill('SIGINT');
    await sleep(100);
    child.kill('SIGINT');
    expect(await exited).toBe(1);
  });

  it('names the settings that are wrong, and no value of them, and exits with 2', async () => {
    const { exited, output } = start({
      PDORA_RUNNER_TOKEN: 'too-short',
      PDORA_RUNNER_PORT: 'x',
      PDORA_WINDOWS: '33x1x1',
    });
    expect(await exited).toBe(2);
    for (const name of ['PDORA_RUNNER_TOKEN', 'PDORA_RUNNER_PORT', 'PDORA_WINDOWS']) expect(output()).toContain(name);
    expect(output()).not.toContain('too-short');
  });

  it('exits with 1 where its base is not valid', async () => {
    const path = join(folder, 'broken.safetensors');
    writeFileSync(path, model.base.bytes.subarray(0, 5000));
    const { exited, output } = start({ PDORA_RUNNER_TOKEN: RUNNER_TOKEN, PDORA_RUNNER_PORT: '0', PDORA_BASE: path });
    expect(await exited).toBe(1);
    expect(output()).toContain('"event":"unable"');
  });
});
