import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type UnreachableError } from '../../client/index.ts';
import { DIRECT_MOST_BYTES } from '../../client/uploads.ts';
import { DIRECT_BODY_MAX_BYTES } from '../../schemas/limits.ts';

/** The client before a service that answers in turn what it is told, or breaks the connection (null). */

const MADE = { 'x-adapter-id': 'a/b', 'x-base-digest': 'sha256:0', 'x-adapter-cache': 'hot' };
const busy = (code: string, after: number | null, status = 429) =>
  Response.json(
    { code, detail: 'No.', status },
    { status, headers: after === null ? {} : { 'retry-after': String(after) } },
  );

let answers: (Response | null)[];
let seen: { call: string; bytes: number; key: string | null }[];
const client = createClient({
  url: 'http://service/',
  key: 'k',
  async fetch(request) {
    const bytes = (await request.arrayBuffer()).byteLength;
    const { pathname } = new URL(request.url);
    seen.push({ call: `${request.method} ${pathname}`, bytes, key: request.headers.get('idempotency-key') });
    const answer = answers.shift();
    if (answer) return answer;
    throw new TypeError('fetch failed');
  },
});
const volume = new Blob(['volume']);

/** What it would have slept, in milliseconds. */
let pauses: number[];
beforeEach(() => {
  [answers, seen, pauses] = [[], [], []];
  vi.stubGlobal('setTimeout', (wake: () => void, milliseconds: number) => {
    pauses.push(milliseconds);
    queueMicrotask(wake);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test('a busy service is tried again when it says, with the whole body', async () => {
  answers = [busy('runner_busy', 5, 503), busy('rate_limited', 1), new Response('mask', { headers: MADE })];
  const { file } = await client.segment('a', volume);
  expect(await file.text()).toBe('mask');
  expect(seen.map(({ bytes }) => bytes)).toEqual([6, 6, 6]);
  expect(pauses).toEqual([5000, 2000]);
});

test('quotas, long pauses, and services that say nothing of time are not waited for', async () => {
  for (const answer of [busy('quota_exceeded', 1), busy('runner_busy', 600, 503), busy('runner_busy', null, 503)]) {
    answers = [answer];
    await expect(client.segment('a', volume)).rejects.toMatchObject({ detail: 'No.' });
  }
  const stream = { stream: volume.stream(), size: volume.size };
  answers = [busy('runner_busy', 1, 503)];
  await expect(client.segment('a', stream)).rejects.toMatchObject({ code: 'runner_busy' });
  expect(seen).toHaveLength(4);
  expect(pauses).toEqual([]);
});

test('a broken connection is tried again only where that does no harm', async () => {
  answers = [null];
  const broken: Promise<UnreachableError> = client.segment('a', volume).then(
    () => expect.fail(),
    (error) => error,
  );
  expect((await broken).cause).toMatchObject({ message: 'fetch failed' });
  answers = [null, null, Response.json({ id: 'j', status: 'queued' }, { status: 202 })];
  expect(await client.submit('a', volume)).toBe('j');
  const [, ...handedIn] = seen;
  expect(handedIn).toHaveLength(3);
  expect(new Set(handedIn.map(({ key }) => key)).size).toBe(1);
});

test('what is too large for one request goes in parts, and is deleted where nothing comes of it', async () => {
  expect(DIRECT_MOST_BYTES).toBe(DIRECT_BODY_MAX_BYTES);
  const large = new Blob([new Uint8Array(95_000_001)]);
  const parts = [{ size: 90_000_000 }, { size: 5_000_001 }];
  const begun = Response.json({ id: 'u', parts }, { status: 201 });
  const [first, second, deleted] = [0, 1, 2].map(() => new Response(null, { status: 204 }));
  const puts = [first ?? null, second ?? null, Response.json({ id: 'u' })];
  const refused = busy('invalid_request', null, 400);
  answers = [Response.json({ channels: ['T1'] }), begun, ...puts, refused, deleted ?? null];
  await expect(client.submit('a', large)).rejects.toMatchObject({ code: 'invalid_request' });
  expect(seen.map(({ call, bytes }) => [call, bytes])).toEqual([
    ['GET /v1/adapters/a', 0],
    ['POST /v1/uploads', expect.any(Number)],
    ['PUT /v1/uploads/u/parts/1', 90_000_000],
    ['PUT /v1/uploads/u/parts/2', 5_000_001],
    ['POST /v1/uploads/u/complete', 0],
    ['POST /v1/segmentations', expect.any(Number)],
    ['DELETE /v1/uploads/u', 0],
  ]);
});

test('what answers in the service’s place is an error too', async () => {
  answers = [new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'content-type': 'text/html' } })];
  await expect(client.api.GET('/v1/adapters')).rejects.toMatchObject({ code: 'unknown', status: 502 });
  answers = [new Response('mask')];
  await expect(client.segment('a', volume)).rejects.toThrow('x-adapter-id');
});
