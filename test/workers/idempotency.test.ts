import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, deliver, edge, problem, waiting } from './support/edge.ts';
import { adapterFile, push, reprDigest } from './support/files.ts';
import { objects, submit, VOLUME } from './support/jobs.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const KEY = { 'idempotency-key': 'a-key-of-the-caller' };

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
});

async function jobs(): Promise<number> {
  return (await env.DB.prepare('SELECT count(*) AS n FROM jobs').first<{ n: number }>())?.n ?? -1;
}

describe('an asynchronous segmentation under a key', () => {
  test('is one, however often it is sent, and says how it is by now', async () => {
    const first = await (await submit(world.key, 'adapter=tumour', { headers: KEY })).json<{ id: string }>();
    const again = await submit(world.key, 'adapter=tumour', { headers: KEY });
    expect(again.status).toBe(202);
    expect(again.headers.get('location')).toBe(`/v1/segmentations/${first.id}`);
    expect(await again.json()).toEqual(first);
    await deliver();
    const last = await submit(world.key, 'adapter=tumour', { headers: KEY });
    expect(await last.json()).toEqual({ id: first.id, status: 'succeeded' });
    expect([await jobs(), waiting()]).toEqual([1, []]);
    expect(await objects('inputs/')).toEqual([]);
  });

  test('twice at once is one; the other is told to come again', async () => {
    const replies = await Promise.all([1, 2, 3, 4].map(() => submit(world.key, 'adapter=tumour', { headers: KEY })));
    const statuses = new Set(replies.map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 202 && status !== 409)).toEqual([]);
    expect(statuses).toContain(202);
    for (const reply of replies) {
      if (reply.status === 409) expect(reply.headers.get('retry-after')).not.toBeNull();
    }
    expect(await jobs()).toBe(1);
    expect((await submit(world.key, 'adapter=tumour', { headers: KEY })).status).toBe(202);
    expect(await jobs()).toBe(1);
  });

  test.each([
    ['another adapter', 'adapter=__base__', {}, VOLUME],
    ['another length', 'adapter=tumour', {}, new Uint8Array(401)],
    ['another digest', 'adapter=tumour', { 'repr-digest': reprDigest(VOLUME) }, VOLUME],
  ])('with %s is refused', async (_, query, headers, body) => {
    await submit(world.key, 'adapter=tumour', { headers: KEY });
    const other = await submit(world.key, query, { headers: { ...KEY, ...headers }, body });
    expect(await problem(other)).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
    expect(await jobs()).toBe(1);
  });

  test('is another tenant’s own under the same key', async () => {
    await push(world.other, 'tumour', adapterFile());
    await submit(world.key, 'adapter=tumour', { headers: KEY });
    expect((await submit(world.other, 'adapter=tumour', { headers: KEY })).status).toBe(202);
    expect(await jobs()).toBe(2);
  });

  test('that was refused may be tried again', async () => {
    expect((await submit(world.key, 'adapter=later', { headers: KEY })).status).toBe(404);
    await push(world.key, 'later', adapterFile('later'));
    expect((await submit(world.key, 'adapter=later', { headers: KEY })).status).toBe(202);
  });

  test('that broke off is taken over under the id that it had', async () => {
    const { id } = await (await submit(world.key, 'adapter=tumour', { headers: KEY })).json<{ id: string }>();
    const written = await env.DB.prepare('SELECT fingerprint FROM idempotency').first<{ fingerprint: string }>();
    const soon = Date.now() + 60_000;
    await env.DB.batch([
      env.DB.prepare('DELETE FROM jobs'),
      env.DB.prepare('INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)').bind(
        'acme',
        KEY['idempotency-key'],
        written?.fingerprint ?? '',
        id,
        soon,
        soon,
      ),
    ]);
    const early = await submit(world.key, 'adapter=tumour', { headers: KEY });
    expect(await problem(early)).toMatchObject({ status: 409, code: 'conflict' });
    await env.DB.prepare('UPDATE idempotency SET lease_until = 1').run();
    const late = await submit(world.key, 'adapter=tumour', { headers: KEY });
    expect(await late.json()).toEqual({ id, status: 'queued' });
  });
});

test('what was erased is not made again under its id: its key is erased with it', async () => {
  const first = await (await submit(world.key, 'adapter=tumour', { headers: KEY })).json<{ id: string }>();
  const gone = () => edge('DELETE', `/v1/segmentations/${first.id}`, { key: world.key });
  expect([(await gone()).status, (await gone()).status]).toEqual([202, 204]);
  const again = await (await submit(world.key, 'adapter=tumour', { headers: KEY })).json<{ id: string }>();
  expect(again).toMatchObject({ status: 'queued' });
  expect(again.id).not.toBe(first.id);

  const begin = async () => {
    const json = { size: 3, sha256: 'a'.repeat(64) };
    const call = { key: world.key, json, headers: { 'idempotency-key': 'an-upload' } };
    return (await (await edge('POST', '/v1/uploads', call)).json<{ id: string }>()).id;
  };
  const upload = await begin();
  expect(await begin()).toBe(upload);
  expect((await edge('DELETE', `/v1/uploads/${upload}`, { key: world.key })).status).toBe(204);
  expect(await begin()).not.toBe(upload);
});

test('a tenant is made once under a key', async () => {
  const make = () => edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'third' }, headers: KEY });
  const first = await make();
  expect(first.status).toBe(201);
  const again = await make();
  expect(again.status).toBe(201);
  expect(await again.json()).toEqual(await first.json());
  const other = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'fourth' }, headers: KEY });
  expect(await problem(other)).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
  const there = await edge('POST', '/v1/tenants', {
    key: ADMIN,
    json: { id: 'acme' },
    headers: { 'idempotency-key': 'b' },
  });
  expect(await problem(there)).toMatchObject({ status: 409, code: 'conflict' });
  const without = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'third' } });
  expect(await problem(without)).toMatchObject({ status: 409, code: 'conflict' });
});

test.each([
  ['POST', '/v1/segmentations?adapter=tumour', { body: VOLUME }],
  ['POST', '/v1/adapters/tumour/versions', { body: adapterFile('two') }],
  ['GET', '/v1/adapters', {}],
  ['DELETE', '/v1/adapters/tumour', {}],
])('a key on %s %s is refused rather than ignored', async (method, path, call) => {
  const reply = await edge(method, path, { key: world.key, headers: KEY, ...call });
  expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  expect((await edge('GET', '/v1/adapters/tumour', { key: world.key })).status).toBe(200);
});
