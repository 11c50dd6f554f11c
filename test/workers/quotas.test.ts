import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { quotaSchema } from '../../schemas/api-quotas.ts';
import { readSettings } from '../../workers/edge/settings.ts';
import { ADMIN, edge, makeKey, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, push, reprDigest, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const numerically = (a: number, b: number) => a - b;
const path = '/v1/tenants/acme/quota';
const file = adapterFile();
const HOUR_MS = 3_600_000;

const put = (json: unknown, key: string = ADMIN, at = path) => edge('PUT', at, { key, json });
async function standing(key: string = ADMIN, at = path) {
  const reply = await edge('GET', at, { key });
  expect(reply.status).toBe(200);
  return quotaSchema.parse(await reply.json());
}
const used = async (at = path) => (await standing(ADMIN, at)).usage.stored_bytes;

describe('the limits of a tenant', () => {
  test("are the operator's defaults until they are set, one by one, and again after", async () => {
    const defaults = {
      stored_bytes: Number(env.QUOTA_STORED_BYTES),
      waiting_jobs: Number(env.QUOTA_WAITING_JOBS),
      segmentations_at_once: Number(env.QUOTA_SEGMENTATIONS_AT_ONCE),
      requests_per_minute: Number(env.QUOTA_REQUESTS_PER_MINUTE),
    };
    expect((await standing()).limits).toEqual(defaults);
    expect((await put({ stored_bytes: 5, waiting_jobs: 0 })).status).toBe(200);
    const reply = await put({ segmentations_at_once: 3, stored_bytes: 7 });
    const now = { ...defaults, stored_bytes: 7, waiting_jobs: 0, segmentations_at_once: 3 };
    expect(quotaSchema.parse(await reply.json()).limits).toEqual(now);
    expect((await standing()).limits).toEqual(now);
    await put({ stored_bytes: null, waiting_jobs: null, segmentations_at_once: null });
    expect((await standing()).limits).toEqual(defaults);
    expect((await standing(ADMIN, '/v1/tenants/umbrella/quota')).limits).toEqual(defaults);
  });

  test('a tenant sees its own and sets none', async () => {
    expect((await standing(world.key)).limits.waiting_jobs).toBe(Number(env.QUOTA_WAITING_JOBS));
    expect((await put({ stored_bytes: 1 }, world.key)).status).toBe(403);
    const { key } = await makeKey('acme', ['segment', 'adapters:read', 'adapters:write']);
    expect((await edge('GET', path, { key })).status).toBe(403);
    expect((await edge('GET', path, { key: world.other })).status).toBe(404);
  });

  test('of a tenant that is not there are not found, and none are made', async () => {
    const nobody = '/v1/tenants/nobody/quota';
    expect((await edge('GET', nobody, { key: ADMIN })).status).toBe(404);
    expect(await problem(await put({ stored_bytes: 1 }, ADMIN, nobody))).toMatchObject({ code: 'not_found' });
    expect(await env.DB.prepare('SELECT count(*) AS n FROM quotas').first('n')).toBe(0);
    expect(await env.DB.prepare("SELECT count(*) AS n FROM audit WHERE action = 'tenant.quota'").first('n')).toBe(0);
  });

  test.each([
    {},
    [],
    { stored_bytes: -1 },
    { stored_bytes: 1.5 },
    { stored_bytes: '1' },
    { requests_per_minute: 0 },
    { stored_bytes: 1, tenant: 'umbrella' },
  ])('%j is none', async (json) => {
    expect(await problem(await put(json))).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test('a change stands in the audit', async () => {
    await put({ stored_bytes: 5 });
    const { results } = await env.DB.prepare(
      "SELECT tenant, actor, action, subject, outcome FROM audit WHERE action = 'tenant.quota'",
    ).all();
    expect(results).toEqual([
      { tenant: 'acme', actor: 'operator', action: 'tenant.quota', subject: 'acme', outcome: 'ok' },
    ]);
  });

  test('go with the tenant', async () => {
    await put({ stored_bytes: 5 });
    await edge('DELETE', '/v1/tenants/acme', { key: ADMIN });
    await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'acme' } });
    expect((await standing()).limits.stored_bytes).toBe(Number(env.QUOTA_STORED_BYTES));
  });
});

test.each(['', 'many', '-1', '1e3', '1.5'])('a default of %j is no setting', (value) => {
  expect(() => readSettings({ ...env, QUOTA_STORED_BYTES: value })).toThrow('QUOTA_STORED_BYTES');
});

test('a rate of no requests is no setting', () => {
  expect(() => readSettings({ ...env, QUOTA_REQUESTS_PER_MINUTE: '0' })).toThrow('QUOTA_REQUESTS_PER_MINUTE');
});

const upload = (id: string, tenant: string | null, size: number, expires: number) =>
  env.DB.prepare(
    "INSERT INTO uploads (id, tenant, size, digest, multipart, created_at, expires_at) VALUES (?, ?, ?, 'd', 'm', 1, ?)",
  ).bind(id, tenant, size, expires);

const job = (id: string, tenant: string | null, status: string, input: number, result: number, until: number) =>
  env.DB.prepare(
    `INSERT INTO jobs (id, tenant, actor, request, trace, base, output, input, input_bytes, status, result_bytes,
        created_at, deadline_at, result_until) VALUES (?, ?, 'a', 'r', '-', ?, 'labels', '{}', ?, ?, ?, 1, 1, ?)`,
  ).bind(id, tenant, BASE_DIGEST, input, status, result, until);

describe('bytes stored', () => {
  test('are those of the files of all versions, each once', async () => {
    const second = adapterFile('another, longer');
    expect(await used()).toBe(0);
    await push(world.key, 'one', file);
    await push(world.key, 'one', second);
    await push(world.key, 'two', file);
    expect(await used()).toBe(file.byteLength + second.byteLength);
    expect(await used('/v1/tenants/umbrella/quota')).toBe(0);
    await push(world.other, 'mine', file);
    expect(await used('/v1/tenants/umbrella/quota')).toBe(file.byteLength);
    await edge('DELETE', '/v1/adapters/one', { key: world.key });
    expect(await used()).toBe(file.byteLength);
  });

  test('and of uploads, inputs and results for as long as they are kept', async () => {
    const now = Date.now();
    await env.DB.batch([
      upload('kept', 'acme', 1, now + HOUR_MS),
      upload('expired', 'acme', 10, now - 1),
      upload('read', 'acme', 100, now - 1),
      upload('theirs', 'umbrella', 5, now + HOUR_MS),
      upload('operator', null, 7, now + HOUR_MS),
      job('queued', 'acme', 'queued', 1_000, 0, 0),
      job('running', 'acme', 'running', 10_000, 0, 0),
      job('reading', 'acme', 'running', 100, 0, 0),
      job('ended', 'acme', 'succeeded', 100_000, 1_000_000, now + HOUR_MS),
      job('past', 'acme', 'succeeded', 100_000, 10_000_000, now - 1),
      job('theirs', 'umbrella', 'queued', 3, 0, 0),
      job('operator', null, 'queued', 9, 0, 0),
      env.DB.prepare("INSERT INTO job_inputs VALUES ('reading', 'read'), ('past', 'expired')"),
    ]);
    expect((await standing()).usage).toEqual({ stored_bytes: 1 + 100 + 1_000 + 10_000 + 1_000_000, waiting_jobs: 3 });
    expect((await standing(ADMIN, '/v1/tenants/umbrella/quota')).usage).toEqual({ stored_bytes: 8, waiting_jobs: 1 });
  });
});

describe('an upload for which there is no room', () => {
  const second = adapterFile('the second');

  beforeEach(async () => {
    await push(world.key, 'tumour', file);
    await put({ stored_bytes: file.byteLength + second.byteLength - 1 });
  });

  test('is refused with the numbers, and nothing of it is kept', async () => {
    const before = await stored();
    const reply = await push(world.key, 'new', second);
    const { status, code, detail } = await problem(reply);
    expect([status, code]).toEqual([429, 'quota_exceeded']);
    for (const number of [file.byteLength, second.byteLength, file.byteLength + second.byteLength - 1]) {
      expect(detail).toContain(String(number));
    }
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await stored()).toEqual(before);
  });

  test('is refused before its body is looked at', async () => {
    const reply = await push(world.key, 'new', new Uint8Array(second.byteLength + 1));
    expect((await problem(reply)).code).toBe('quota_exceeded');
  });

  test('is taken once there is room: to the last byte, after a deletion, or with more quota', async () => {
    await put({ stored_bytes: file.byteLength + second.byteLength });
    expect((await push(world.key, 'new', second)).status).toBe(201);
    const third = adapterFile('the third.');
    expect(third.byteLength).toBe(second.byteLength);
    expect((await push(world.key, 'new', third)).status).toBe(429);
    await edge('DELETE', '/v1/adapters/new', { key: world.key });
    expect((await push(world.key, 'new', third)).status).toBe(201);
  });

  test.each([{}, { 'repr-digest': reprDigest(file) }])(
    'what is stored already costs nothing more (%j)',
    async (headers) => {
      await put({ stored_bytes: 0 });
      expect((await push(world.key, 'tumour', file, headers)).status).toBe(200);
      expect((await push(world.key, 'again', file, headers)).status).toBe(201);
    },
  );

  test('a file of the size of one that is stored is no way around it', async () => {
    const alike = adapterFile();
    alike.set([alike[alike.byteLength - 1] === 0 ? 1 : 0], alike.byteLength - 1);
    const before = await stored();
    await put({ stored_bytes: 0 });
    expect((await problem(await push(world.key, 'tumour', alike))).code).toBe('quota_exceeded');
    expect(await stored()).toEqual(before);
  });

  test('what another tenant stores is not free', async () => {
    await push(world.other, 'mine', second);
    const reply = await push(world.key, 'new', second, { 'repr-digest': reprDigest(second) });
    expect((await problem(reply)).code).toBe('quota_exceeded');
    expect(await used()).toBe(file.byteLength);
  });

  test('nor does it cost another tenant anything', async () => {
    const replies = await Promise.all([
      ...Array.from({ length: 5 }, () => push(world.key, 'new', second)),
      ...Array.from({ length: 5 }, (_, n) => push(world.other, 'new', adapterFile(`number ${n}`))),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([...Array(5).fill(429), ...Array(5).fill(201)]);
  });

  test('is refused of the operator too, for that tenant', async () => {
    expect((await problem(await push(ADMIN, 'acme/new', second))).code).toBe('quota_exceeded');
    expect((await push(ADMIN, 'umbrella/new', second)).status).toBe(201);
  });
});

test.each([false, true])('eight uploads at once do not pass the quota together (digest named: %s)', async (named) => {
  const files = Array.from({ length: 8 }, (_, n) => adapterFile(`number ${n}`));
  const size = files[0]?.byteLength ?? 0;
  await put({ stored_bytes: 3 * size + 1 });
  const replies = await Promise.all(
    files.map((one, n) => push(world.key, `a${n % 2}`, one, named ? { 'repr-digest': reprDigest(one) } : {})),
  );
  expect(replies.map(({ status }) => status).toSorted(numerically)).toEqual([201, 201, 201, 429, 429, 429, 429, 429]);
  expect(await used()).toBe(3 * size);
  expect((await stored()).blobs.filter((key) => key.startsWith('blobs/'))).toHaveLength(3 + 1);
});

test('a size that someone lied about is set right', async () => {
  await env.DB.prepare('INSERT INTO files (digest, size, created_at) VALUES (?, 1, 1)').bind(sha256(file)).run();
  await push(world.key, 'tumour', file);
  expect(await used()).toBe(file.byteLength);
});
