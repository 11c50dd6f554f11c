import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { edge, makeKey, ORIGIN, problem } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, BASE_STAND_IN, hex, push, sha256 } from './support/files.ts';
import { LABEL_MAP, labelMap, TIMING } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const volume = Uint8Array.from({ length: 5_000 }, (_, i) => i % 251);
const path = '/v1/segmentations';

beforeEach(async () => {
  await push(world.key, 'tumour', file);
  world.runner.calls.length = 0;
});

const segment = (query = '?adapter=tumour', headers: Record<string, string> = {}, body = volume) =>
  edge('POST', path + query, { key: world.key, body, headers });

const asProblem =
  (status: number, body: object, headers: Record<string, string> = {}) =>
  () =>
    Response.json(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } });

async function expectServing(): Promise<void> {
  world.runner.segment = (headers) => labelMap(headers);
  expect((await segment()).status).toBe(200);
}

test('the label map comes back with all that it was made with', async () => {
  const reply = await segment();
  expect(reply.status).toBe(200);
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(LABEL_MAP);
  const headers = Object.fromEntries(reply.headers);
  expect(headers).toMatchObject({
    'content-type': 'application/gzip',
    'content-length': String(LABEL_MAP.byteLength),
    'x-adapter-id': 'acme/tumour',
    'x-adapter-version': '1',
    'x-adapter-digest': sha256(file),
    'x-base-digest': BASE_DIGEST,
    'x-adapter-cache': 'cold',
    'server-timing': TIMING,
  });
  expect(headers['content-encoding']).toBeUndefined();
  expect(headers['x-request-id']).toBe(world.runner.calls[0]?.headers.get('x-run-id'));
});

test('the runner gets the volume and an allow-list of headers', async () => {
  const before = Date.now();
  await segment('?adapter=tumour&output=probabilities&deadline=30', {
    'content-type': 'image/x-nifti',
    'x-tenant': 'umbrella',
    'x-adapter-digest': `sha256:${'0'.repeat(64)}`,
    'x-patient': 'a name',
    cookie: 'a=b',
  });
  const [call] = world.runner.calls;
  expect(call?.path).toBe('/segment');
  expect(call?.body).toEqual(volume);
  const headers = Object.fromEntries(call?.headers ?? []);
  expect(headers).toMatchObject({
    authorization: `Bearer ${env.RUNNER_TOKEN}`,
    'content-type': 'application/octet-stream',
    'x-adapter-digest': sha256(file),
    'x-base-digest': BASE_DIGEST,
    'x-base-file': sha256(BASE_STAND_IN),
    'x-tenant': 'acme',
    'x-output': 'probabilities',
  });
  expect(Object.keys(headers).filter((name) => /cookie|patient/.test(name))).toEqual([]);
  const deadline = Number(headers['x-deadline']);
  expect(deadline).toBeGreaterThanOrEqual(before + 30_000);
  expect(deadline).toBeLessThanOrEqual(Date.now() + 30_000);
});

test.each([
  ['', 'nifti', 'application/gzip', 'labels.nii.gz'],
  ['&format=nrrd', 'nrrd', 'application/x-nrrd', 'labels.seg.nrrd'],
  ['&format=nrrd&output=probabilities', 'nrrd', 'application/x-nrrd', 'probabilities.nrrd'],
])('with %s the answer is %s by its type and name', async (query, format, type, name) => {
  const reply = await segment(`?adapter=tumour${query}`);
  expect(world.runner.calls[0]?.headers.get('x-format')).toBe(format);
  expect(reply.headers.get('content-type')).toBe(type);
  expect(reply.headers.get('content-disposition')).toBe(`attachment; filename="${name}"`);
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(LABEL_MAP);
});

test('a runner that answers in another format than was asked for is not believed', async () => {
  world.runner.segment = (headers) => labelMap(headers, { 'content-type': 'application/gzip' });
  expect(await problem(await segment('?adapter=tumour&format=nrrd'))).toMatchObject({ code: 'bad_runner_reply' });
});

test('multipart goes on as it is', async () => {
  const type = 'multipart/form-data; boundary=abc';
  await segment('?adapter=tumour', { 'content-type': type });
  expect(world.runner.calls[0]?.headers.get('content-type')).toBe(type);
});

test('only what a runner says about the label map comes back', async () => {
  world.runner.segment = (headers) => labelMap(headers, { 'set-cookie': 'a=b', 'x-runner-host': 'gpu-7', server: 'x' });
  const names = [...(await segment()).headers.keys()];
  expect(names.filter((name) => /cookie|runner|^server$/.test(name))).toEqual([]);
});

test('a version and a digest name what they name, whatever is newest', async () => {
  const newer = adapterFile('newer');
  await push(world.key, 'tumour', newer);
  for (const [ref, version, bytes] of [
    ['tumour', '2', newer],
    ['tumour@1', '1', file],
    ['acme/tumour@2', '2', newer],
    [sha256(file), '1', file],
  ] as const) {
    const reply = await segment(`?adapter=${encodeURIComponent(ref)}`);
    expect([reply.headers.get('x-adapter-version'), reply.headers.get('x-adapter-digest')]).toEqual([
      version,
      sha256(bytes),
    ]);
  }
});

test('__base__ runs the base with its own head', async () => {
  const reply = await segment('?adapter=__base__');
  expect(reply.status).toBe(200);
  expect(reply.headers.get('x-adapter-id')).toBe('__base__');
  expect(reply.headers.get('x-base-digest')).toBe(BASE_DIGEST);
  expect([reply.headers.get('x-adapter-digest'), reply.headers.get('x-adapter-version')]).toEqual([null, null]);
  expect(world.runner.calls[0]?.headers.has('x-adapter-digest')).toBe(false);
});

describe('never reaches the runner', () => {
  test.each([
    ['no adapter', '', {}, 400, 'invalid_request'],
    ['an empty adapter', '?adapter=', {}, 400, 'invalid_request'],
    ['no reference', '?adapter=A%20B', {}, 400, 'invalid_request'],
    ['an output that is none', '?adapter=tumour&output=logits', {}, 400, 'invalid_request'],
    ['a format that is none', '?adapter=tumour&format=mhd', {}, 400, 'invalid_request'],
    ['a deadline that is none', '?adapter=tumour&deadline=soon', {}, 400, 'invalid_request'],
    ['a deadline of nothing', '?adapter=tumour&deadline=0', {}, 400, 'invalid_request'],
    ['a deadline of a day', '?adapter=tumour&deadline=86400', {}, 400, 'invalid_request'],
    ['an unknown adapter', '?adapter=nothing', {}, 404, 'not_found'],
    ['an unknown version', '?adapter=tumour@2', {}, 404, 'not_found'],
    ['an unknown alias', '?adapter=tumour@stable', {}, 404, 'not_found'],
    [
      'what is no JSON under its name',
      '?adapter=tumour',
      { 'content-type': 'application/json; charset=utf-8' },
      400,
      'invalid_request',
    ],
    ['an idempotency key', '?adapter=tumour', { 'idempotency-key': 'k' }, 400, 'invalid_request'],
    ['a body over 95 MB', '?adapter=tumour', { 'content-length': '95000001' }, 413, 'too_large'],
    ['a length that is none', '?adapter=tumour', { 'content-length': '-1' }, 411, 'length_required'],
  ])('%s', async (_, query, headers, status, code) => {
    expect(await problem(await segment(query, headers))).toMatchObject({ status, code });
    expect(world.runner.calls).toEqual([]);
    await expectServing();
  });

  test('a body of unknown length', async () => {
    const body = new Blob([volume]).stream();
    const reply = await edge('POST', `${path}?adapter=tumour`, { key: world.key, body });
    expect(await problem(reply)).toMatchObject({ status: 411, code: 'length_required' });
    expect(world.runner.calls).toEqual([]);
  });

  test('an adapter whose verification is not over', async () => {
    await env.DB.prepare("UPDATE versions SET status = 'verifying', lease_until = 9e15").run();
    for (const ref of ['tumour', 'tumour@1', sha256(file)]) {
      expect(await problem(await segment(`?adapter=${ref}`))).toMatchObject({ status: 409, code: 'adapter_not_ready' });
    }
    expect(world.runner.calls).toEqual([]);
  });

  test('the base of a place that serves none', async () => {
    await env.DB.batch([env.DB.prepare('DELETE FROM versions'), env.DB.prepare('DELETE FROM bases')]);
    expect(await problem(await segment('?adapter=__base__'))).toMatchObject({ status: 404, code: 'not_found' });
  });
});

test.each([
  [422, 'invalid_volume'],
  [422, 'channel_mismatch'],
  [422, 'grid_mismatch'],
  [400, 'invalid_request'],
  [503, 'runner_busy'],
  [504, 'deadline_exceeded'],
  [500, 'internal'],
])("the runner's own problem comes through: %i %s", async (status, code) => {
  world.runner.segment = asProblem(
    status,
    { code, detail: 'what is wrong', request_id: 'of the runner' },
    { 'retry-after': '7' },
  );
  const reply = await segment();
  expect(await problem(reply)).toMatchObject({ status, code, detail: 'what is wrong' });
  expect(reply.headers.get('retry-after')).toBe(status === 503 ? '7' : null);
  await expectServing();
});

describe('a runner that answers wrongly is a 502', () => {
  const zeros = `sha256:${'0'.repeat(64)}`;
  test.each([
    ['another adapter', (headers: Headers) => labelMap(headers, { 'x-adapter-digest': zeros })],
    ['no adapter', (headers: Headers) => labelMap(headers, { 'x-adapter-digest': null })],
    ['another base', (headers: Headers) => labelMap(headers, { 'x-base-digest': zeros })],
    ['no base', (headers: Headers) => labelMap(headers, { 'x-base-digest': null })],
    ['another type', (headers: Headers) => labelMap(headers, { 'content-type': 'text/html' })],
    ['an encoding', (headers: Headers) => labelMap(headers, { 'content-encoding': 'br' })],
    ['no timing', (headers: Headers) => labelMap(headers, { 'server-timing': null })],
    ['an unknown tier', (headers: Headers) => labelMap(headers, { 'x-adapter-cache': 'lukewarm' })],
    ['no body', () => new Response(null, { status: 204 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: ORIGIN } })],
    ['a page', () => new Response('<html>', { status: 500, headers: { 'content-type': 'text/html' } })],
    ['a refusal of our token', asProblem(401, { code: 'unauthorized', detail: 'no' })],
    ['a problem that is not its to have', asProblem(404, { code: 'not_found', detail: 'no' })],
    ['a problem of another status', asProblem(500, { code: 'invalid_volume', detail: 'no' })],
    ['a problem without an end', asProblem(422, { code: 'invalid_volume', detail: 'x'.repeat(300_000) })],
    [
      'a problem that is no JSON',
      () => new Response('{', { status: 422, headers: { 'content-type': 'application/problem+json' } }),
    ],
  ])('%s', async (_, answer) => {
    world.runner.segment = answer;
    const reply = await segment();
    expect(await problem(reply)).toMatchObject({ status: 502, code: 'bad_runner_reply' });
    expect(reply.headers.get('x-adapter-digest')).toBeNull();
    await expectServing();
  });

  test('an adapter where the base was asked for', async () => {
    world.runner.segment = (headers) => labelMap(headers, { 'x-adapter-digest': sha256(file) });
    expect(await problem(await segment('?adapter=__base__'))).toMatchObject({ status: 502, code: 'bad_runner_reply' });
  });
});

test('no runner is a 503 that says when to try again', async () => {
  world.runner.down = true;
  const reply = await segment();
  expect(await problem(reply)).toMatchObject({ status: 503, code: 'runner_unavailable' });
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  world.runner.down = false;
  await expectServing();
});

test('the deadline ends the call at the runner too', async () => {
  let aborted = false;
  world.runner.segment = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(signal.reason);
      });
    });
  const started = Date.now();
  expect(await problem(await segment('?adapter=tumour&deadline=0.2'))).toMatchObject({
    status: 504,
    code: 'deadline_exceeded',
  });
  expect(Date.now() - started).toBeLessThan(5_000);
  expect(aborted).toBe(true);
  await expectServing();
});

test('a caller that goes away ends the call at the runner', async () => {
  const caller = new AbortController();
  const aborted = new Promise<void>((resolve) => {
    world.runner.segment = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          resolve();
          reject(signal.reason);
        });
        caller.abort();
      });
  });
  const reply = await edge('POST', `${path}?adapter=tumour`, { key: world.key, body: volume, signal: caller.signal });
  await aborted;
  expect((await problem(reply)).code).toBe('cancelled');
  await expectServing();
});

test('a withdrawn key cannot segment', async () => {
  const { id, key } = await makeKey('acme', ['segment']);
  const use = () => edge('POST', `${path}?adapter=tumour`, { key, body: volume });
  expect((await use()).status).toBe(200);
  await edge('DELETE', `/v1/tenants/acme/keys/${id}`, { key: world.key });
  expect((await use()).status).toBe(401);
});

test('files travel to the runner under grants, not under keys', async () => {
  await segment();
  const grant = world.runner.calls[0]?.headers.get('x-grant') ?? '';
  const fetched = await edge('GET', `/internal/blobs/${hex(sha256(file))}`, {
    key: env.RUNNER_TOKEN,
    headers: { 'x-grant': grant },
  });
  expect(new Uint8Array(await fetched.arrayBuffer())).toEqual(file);
});
