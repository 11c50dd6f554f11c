import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ServiceError } from '../../schemas/errors.ts';
import { emptyMemory, type HealthMemory } from '../../workers/edge/runners/health.ts';
import { RunnerPool } from '../../workers/edge/runners/pool.ts';
import type { SegmentCall } from '../../workers/edge/runners/runner-client.ts';
import { sha256 } from './support/files.ts';
import { type Fleet, type FleetRunner, fleetOf } from './support/runner-fleet.ts';
import { labelMap, refusal } from './support/runner-stub.ts';

const digestOf = (name: string) => sha256(new TextEncoder().encode(name));
const DIGEST = digestOf('tumour');
const BASE = digestOf('base');

let fleet: Fleet;
let memory: HealthMemory;
let time: number;
let afterwards: Promise<unknown>[];

beforeEach(() => {
  fleet = fleetOf(3);
  memory = emptyMemory();
  time = 1_000_000;
  afterwards = [];
});

/** As each request of an isolate makes it: all that lasts is the memory. */
function pool(): RunnerPool {
  return new RunnerPool({
    urls: fleet.urls,
    token: 'token',
    fetch: fleet.fetch,
    memory,
    now: () => time,
    later: (work) => void afterwards.push(work),
  });
}

function call(digest: string | null = DIGEST, changes: Partial<SegmentCall> = {}): SegmentCall {
  return {
    runId: 'run-1',
    trace: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentId: '00f067aa0ba902b7', flags: '01' },
    tenant: 'acme',
    output: 'labels',
    format: 'nifti',
    deadline: time + 90_000,
    contentType: 'application/octet-stream',
    body: new Blob(['a volume']).stream(),
    signal: new AbortController().signal,
    base: { digest: BASE, file: { digest: digestOf('base file'), grant: 'grant' } },
    adapter: digest === null ? null : { digest, grant: 'grant' },
    ...changes,
  };
}

async function segment(digest: string | null = DIGEST): Promise<FleetRunner> {
  const reply = await pool().segment(call(digest));
  await reply.body.cancel();
  return fleet.at(reply.runner);
}

async function failure(work: Promise<unknown>): Promise<ServiceError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof ServiceError) return error;
  throw new Error(`expected a ServiceError, found ${String(error)}`);
}

/** The three, in the order in which they should have the file. */
async function order(digest = DIGEST): Promise<[FleetRunner, FleetRunner, FleetRunner]> {
  const [first, second, third] = (await pool().ready(digest)).map((url) => fleet.at(url));
  if (first === undefined || second === undefined || third === undefined) throw new Error('one is not ready');
  return [first, second, third];
}

function someRunner(): string {
  return fleet.urls[0] ?? '';
}

async function probesSettled(): Promise<void> {
  await Promise.all(afterwards.splice(0));
}

describe('a file', () => {
  test('goes to the same runner every time, and different files to different ones', async () => {
    const [home] = await order();
    for (let n = 0; n < 5; n++) expect(await segment()).toBe(home);
    const homes = new Set<string>();
    for (let n = 0; n < 30; n++) homes.add((await segment(digestOf(`adapter ${n}`))).url);
    expect(homes.size).toBe(3);
  });

  test('goes by its adapter, or by the base that runs alone', async () => {
    expect((await segment(null)).url).toBe((await pool().ready(BASE))[0]);
  });

  test('goes to the next runner while its own is dead, and back to it afterwards', async () => {
    const [home, next] = await order();
    home.state = 'dead';
    time += 1_000;
    expect(await segment()).toBe(next);
    home.state = 'ready';
    time += 1_000;
    await segment();
    await probesSettled();
    expect(await segment()).toBe(home);
  });

  test.each(['full', 'stopping'] as const)('passes over a runner that is %s', async (state) => {
    const [home, next] = await order();
    home.state = state;
    time += 1_000;
    expect(await segment()).toBe(next);
    expect(home.calls).not.toContain('POST /segment');
  });
});

describe('where none is ready', () => {
  test.each([
    ['runner_unavailable', ['dead', 'dead', 'dead']],
    ['runner_unavailable', ['dead', 'stopping', 'dead']],
    ['runner_busy', ['full', 'full', 'full']],
    ['runner_busy', ['dead', 'full', 'stopping']],
  ] as const)('it is %s with %s, and when to try again', async (code, states) => {
    for (const [n, state] of states.entries()) fleet.at(fleet.urls[n]).state = state;
    for (const work of [pool().segment(call()), pool().verify(call())]) {
      const error = await failure(work);
      expect(error.code).toBe(code);
      expect(error.retryAfterSeconds).toBeGreaterThan(0);
    }
    expect(await pool().ready(DIGEST)).toEqual([]);
    expect(fleet.count('POST /segment') + fleet.count('POST /verify')).toBe(0);
  });

  test('it is not said from memory: whoever is back is found at once', async () => {
    for (const runner of fleet.runners) runner.state = 'dead';
    await failure(pool().segment(call()));
    fleet.at(fleet.urls[1]).state = 'ready';
    expect((await segment()).url).toBe(fleet.urls[1]);
  });
});

describe('a segmentation', () => {
  test('is never tried twice: one that breaks off is a 503', async () => {
    const [home] = await order();
    home.answer = async (request) => {
      await request.arrayBuffer();
      throw new Error('Network connection lost.');
    };
    const error = await failure(pool().segment(call()));
    expect(error.code).toBe('runner_unavailable');
    expect(error.retryAfterSeconds).toBeGreaterThan(0);
    expect(fleet.count('POST /segment')).toBe(1);
  });

  test.each([
    ['breaks off', () => Promise.reject(new Error('Network connection lost.')), 'runner_unavailable'],
    ['says that it stops', () => refusal(503, 'runner_unavailable'), 'runner_unavailable'],
    ['says that it is full', () => refusal(503, 'runner_busy'), 'runner_busy'],
    ['is gone behind its tunnel', () => new Response('<html>', { status: 502 }), 'runner_unavailable'],
  ])('on a runner that %s sends the next one elsewhere, until it answers again', async (_, answer, code) => {
    const [home, next] = await order();
    const answers = home.answer;
    home.answer = answer;
    home.state = 'stopping';
    expect((await failure(pool().segmentOn(home.url, call()))).code).toBe(code);
    // Nobody waits for it, but it is asked.
    expect(await segment()).toBe(next);
    await probesSettled();
    home.answer = answers;
    home.state = 'ready';
    time += 1_000;
    await segment();
    await probesSettled();
    expect(await segment()).toBe(home);
  });

  test.each([
    ['volume', 422, 'invalid_volume'],
    ['deadline', 504, 'deadline_exceeded'],
  ])('whose %s is at fault takes nothing from its runner', async (_, status, code) => {
    const [home] = await order();
    const answers = home.answer;
    home.answer = () => refusal(status, code);
    expect((await failure(pool().segment(call()))).code).toBe(code);
    home.answer = answers;
    expect(await segment()).toBe(home);
  });

  test('whose caller went away takes nothing from its runner', async () => {
    const [home] = await order();
    const caller = new AbortController();
    const answers = home.answer;
    home.answer = () => {
      caller.abort();
      throw new Error('aborted');
    };
    expect((await failure(pool().segment(call(DIGEST, { signal: caller.signal })))).code).toBe('cancelled');
    home.answer = answers;
    expect(await segment()).toBe(home);
  });

  test('on a named runner runs there, whoever should have the file', async () => {
    const [, , last] = await order();
    const reply = await pool().segmentOn(last.url, call());
    await reply.body.cancel();
    expect(reply.runner).toBe(last.url);
    expect(last.calls).toContain('POST /segment');
    const error = await failure(pool().segmentOn('http://elsewhere.example', call()));
    expect(error.code).toBe('runner_unavailable');
  });

  test.each([
    ['24000', 24_000],
    ['0', 0],
    [null, null],
    ['-1', null],
    ['1e6', null],
    ['many', null],
    ['1.5', null],
  ])('of %s voxels, as the runner says, has %s', async (said, voxels) => {
    for (const runner of fleet.runners) runner.answer = ({ headers }) => labelMap(headers, { 'x-voxels': said });
    const reply = await pool().segment(call());
    await reply.body.cancel();
    expect(reply.voxels).toBe(voxels);
  });
});

describe('a verification', () => {
  test('moves on from runners that do not answer to one that does', async () => {
    const [first, second, third] = await order();
    first.answer = () => Promise.reject(new Error('Network connection lost.'));
    second.answer = () => refusal(503, 'runner_busy');
    expect(await pool().verify(call())).toEqual([]);
    for (const runner of [first, second, third]) expect(runner.calls.at(-1)).toBe('POST /verify');
  });

  test('ends with the first answer, whatever it is', async () => {
    const [first] = await order();
    first.answer = () => refusal(422, 'invalid_adapter');
    expect((await failure(pool().verify(call()))).code).toBe('invalid_adapter');
    expect(fleet.count('POST /verify')).toBe(1);
  });

  test('that no runner answers is a 503', async () => {
    await order();
    for (const runner of fleet.runners) runner.answer = () => refusal(503, 'runner_unavailable');
    expect((await failure(pool().verify(call()))).code).toBe('runner_unavailable');
    expect(fleet.count('POST /verify')).toBe(3);
  });
});

describe('readiness', () => {
  test('is asked once for a second, then again', async () => {
    await segment();
    time += 999;
    await segment();
    expect(fleet.count('GET /readyz')).toBe(3);
    time += 1;
    await segment();
    expect(fleet.count('GET /readyz')).toBe(6);
  });

  test('is asked once however many requests want to know', async () => {
    await Promise.all(Array.from({ length: 20 }, () => segment()));
    expect(fleet.count('GET /readyz')).toBe(3);
    expect(fleet.count('POST /segment')).toBe(20);
  });

  test('of a machine that is gone holds up no request but the one that finds out', async () => {
    const [home, next] = await order();
    home.state = 'dead';
    time += 1_000;
    await segment();
    time += 1_000;
    const silent = Promise.withResolvers<Response>();
    const { fetch } = fleet;
    vi.spyOn(fleet, 'fetch').mockImplementation((url, init) =>
      url === `${home.url}/readyz` ? silent.promise : fetch(url, init),
    );
    expect(await segment()).toBe(next);
    home.state = 'ready';
    silent.resolve(Response.json({}));
    await probesSettled();
    expect(await segment()).toBe(home);
  });

  test('that was asked for before a call failed is not believed after it', async () => {
    const [home, next] = await order();
    time += 1_000;
    const early = Promise.withResolvers<Response>();
    const { fetch } = fleet;
    const slow = vi
      .spyOn(fleet, 'fetch')
      .mockImplementation((url, init) => (url === `${home.url}/readyz` ? early.promise : fetch(url, init)));
    const asked = pool().ready(DIGEST);
    home.state = 'dead';
    await failure(pool().segmentOn(home.url, call()));
    early.resolve(Response.json({}));
    await asked;
    slow.mockRestore();
    expect(await segment()).toBe(next);
  });

  test('is counted over all, asked now', async () => {
    expect(await pool().status()).toEqual({ ready: 3, total: 3 });
    fleet.at(fleet.urls[0]).state = 'dead';
    fleet.at(fleet.urls[1]).state = 'full';
    expect(await pool().status()).toEqual({ ready: 1, total: 3 });
  });
});

describe('a run', () => {
  test('tells how far it is, where its runner knows', async () => {
    fleet.at(someRunner()).answer = (request) =>
      request.method === 'GET' && new URL(request.url).pathname === '/runs/run%2F1'
        ? Response.json({ run: 'run/1', status: 'running', progress: 0.25, windows: { done: 1, total: 4 } })
        : refusal(404, 'not_found');
    expect(await pool().progress(someRunner(), 'run/1')).toBe(0.25);
    expect(await pool().progress(someRunner(), 'another')).toBeNull();
  });

  test.each([
    ['is dead', () => Promise.reject(new Error('Network connection lost.'))],
    ['says more than all', () => Response.json({ progress: 2 })],
    ['says nothing of it', () => Response.json({})],
    ['answers a page', () => new Response('<html>')],
  ])('is of unknown progress where its runner %s', async (_, answer) => {
    fleet.at(someRunner()).answer = answer;
    expect(await pool().progress(someRunner(), 'run-1')).toBeNull();
    expect(await pool().progress('http://elsewhere.example', 'run-1')).toBeNull();
  });

  test('is cancelled on its runner alone; that it cannot be is no error', async () => {
    await pool().cancel(someRunner(), 'run-1');
    expect(fleet.count('DELETE /runs/run-1')).toBe(1);
    expect(fleet.at(someRunner()).calls).toEqual(['DELETE /runs/run-1']);
    fleet.at(someRunner()).state = 'dead';
    await pool().cancel(someRunner(), 'run-1');
    await pool().cancel('http://elsewhere.example', 'run-1');
  });
});
