import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { keyCreatedSchema } from '../../schemas/api.ts';
import { ADMIN, ALL_SCOPES, edge, makeKey, problem } from './support/edge.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

const create = (json: unknown, key = world.key, tenant = 'acme') =>
  edge('POST', `/v1/tenants/${tenant}/keys`, { key, json });
const works = async (key: string) => (await edge('GET', '/v1/adapters', { key })).status;

async function ids(): Promise<string[]> {
  const { data } = await (await edge('GET', '/v1/tenants', { key: ADMIN })).json<{ data: { id: string }[] }>();
  return data.map((tenant) => tenant.id);
}

describe('tenants', () => {
  test('are created once, listed and deleted', async () => {
    const reply = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'new.one' } });
    expect(reply.status).toBe(201);
    expect(await reply.json()).toMatchObject({ id: 'new.one', created_at: expect.stringMatching(/Z$/) });
    const again = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'new.one' } });
    expect(await problem(again)).toMatchObject({ status: 409, code: 'conflict' });
    expect(await ids()).toEqual(['acme', 'new.one', 'umbrella']);
    expect((await edge('DELETE', '/v1/tenants/new.one', { key: ADMIN })).status).toBe(204);
    expect(await ids()).toEqual(['acme', 'umbrella']);
    const gone = await edge('DELETE', '/v1/tenants/new.one', { key: ADMIN });
    expect(await problem(gone)).toMatchObject({ status: 404, code: 'not_found' });
  });

  test.each([{}, { id: 'Big' }, { id: '' }, { id: 7 }, { id: 'a', more: 1 }, [], null, 'text'])(
    '%j makes none',
    async (json) => {
      const reply = await edge('POST', '/v1/tenants', { key: ADMIN, json });
      expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );
});

test('a key is shown once, long and random, and kept as an HMAC', async () => {
  const reply = await create({ name: 'laptop', scopes: ['segment'] });
  expect(reply.status).toBe(201);
  const { key, id } = keyCreatedSchema.parse(await reply.json());
  expect(key).toMatch(/^pdora_[0-9a-f]{64}$/);
  const list = await (await edge('GET', '/v1/tenants/acme/keys', { key: world.key })).text();
  expect(list).toContain(id);
  expect(list).not.toContain(key);
  const { results } = await env.DB.prepare('SELECT * FROM keys').all();
  expect(JSON.stringify(results)).not.toContain(key.slice('pdora_'.length));
  const pepper = new TextEncoder().encode(env.KEY_PEPPER);
  const mac = await crypto.subtle.importKey('raw', pepper, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const hash = Buffer.from(await crypto.subtle.sign('HMAC', mac, new TextEncoder().encode(key))).toString('hex');
  expect(results.map((row) => row['hash'])).toContain(hash);
});

test('a revoked key stops at once; another of the tenant goes on', async () => {
  const { id, key } = await makeKey('acme');
  expect(await works(key)).toBe(200);
  expect((await edge('DELETE', `/v1/tenants/acme/keys/${id}`, { key: world.key })).status).toBe(204);
  expect(await works(key)).toBe(401);
  expect(await works(world.key)).toBe(200);
  const again = await edge('DELETE', `/v1/tenants/acme/keys/${id}`, { key: world.key });
  expect(await problem(again)).toMatchObject({ status: 404, code: 'not_found' });
});

test('a key ends with its expiry', async () => {
  const { key } = await makeKey('acme', ALL_SCOPES, new Date(Date.now() + 60_000).toISOString());
  expect(await works(key)).toBe(200);
  await env.DB.prepare('UPDATE keys SET expires_at = ? WHERE expires_at IS NOT NULL').bind(Date.now()).run();
  expect(await works(key)).toBe(401);
});

test('an expiry may name any time zone, and lies ahead', async () => {
  const reply = await create({ name: 'x', scopes: ['segment'], expires_at: '2999-01-01T02:00:00+02:00' });
  expect(await reply.json()).toMatchObject({ expires_at: '2999-01-01T00:00:00.000Z' });
  const past = await create({ name: 'x', scopes: ['segment'], expires_at: '2000-01-01T00:00:00Z' });
  expect(await problem(past)).toMatchObject({ status: 400, code: 'invalid_request' });
});

test('no key issues scopes that it lacks', async () => {
  const { key } = await makeKey('acme', ['tenant:admin', 'segment']);
  expect((await create({ name: 'x', scopes: ['segment'] }, key)).status).toBe(201);
  for (const scope of ['adapters:read', 'adapters:write']) {
    const reply = await create({ name: 'x', scopes: ['segment', scope] }, key);
    expect(await problem(reply)).toMatchObject({ status: 403, code: 'forbidden' });
  }
});

test("a tenant's administrator administers that tenant alone, and learns of no other", async () => {
  const there = await problem(await create({ name: 'x', scopes: ['segment'] }, world.key, 'umbrella'));
  const absent = await problem(await create({ name: 'x', scopes: ['segment'] }, world.key, 'nobody'));
  expect(there).toEqual({ ...absent, request_id: expect.any(String) });
  expect(there).toMatchObject({ status: 404, code: 'not_found' });
  expect((await edge('GET', '/v1/tenants/umbrella/keys', { key: world.key })).status).toBe(404);
  const { data } = await (await edge('GET', '/v1/tenants/umbrella/keys', { key: ADMIN })).json<{
    data: { id: string }[];
  }>();
  expect((await edge('DELETE', `/v1/tenants/umbrella/keys/${data[0]?.id}`, { key: world.key })).status).toBe(404);
  expect((await edge('DELETE', `/v1/tenants/acme/keys/${data[0]?.id}`, { key: world.key })).status).toBe(404);
  expect(await works(world.other)).toBe(200);
});

test('the operator is told that a tenant is not there', async () => {
  expect((await create({ name: 'x', scopes: ['segment'] }, ADMIN, 'nobody')).status).toBe(404);
  expect((await edge('GET', '/v1/tenants/nobody/keys', { key: ADMIN })).status).toBe(404);
});

test.each([
  { scopes: ['segment'] },
  { name: '', scopes: ['segment'] },
  { name: 'x', scopes: [] },
  { name: 'x', scopes: ['segment', 'segment'] },
  { name: 'x', scopes: ['admin'] },
  { name: 'x', scopes: 'segment' },
  { name: 'x', scopes: ['segment'], expires_at: 'tomorrow' },
  { name: 'x', scopes: ['segment'], tenant: 'umbrella' },
])('%j makes no key, and says which part is wrong', async (json) => {
  const { status, code, detail } = await problem(await create(json));
  expect({ status, code }).toEqual({ status: 400, code: 'invalid_request' });
  expect(detail).toMatch(/name|scopes|expires_at|tenant/);
});

test.each([
  ['nothing', undefined],
  ['another scheme', `Basic ${ADMIN}`],
  ['no key', 'Bearer '],
  ['a wrong key', `Bearer pdora_${'0'.repeat(64)}`],
  ['part of the admin key', `Bearer ${ADMIN.slice(0, -1)}`],
  ['more than the admin key', `Bearer ${ADMIN}x`],
  ['a key of endless length', `Bearer ${'x'.repeat(5_000)}`],
])('%s in Authorization is unauthorized', async (_, authorization) => {
  const reply = await edge('GET', '/v1/adapters', authorization === undefined ? {} : { headers: { authorization } });
  expect(await problem(reply)).toMatchObject({ status: 401, code: 'unauthorized' });
  expect(reply.headers.get('www-authenticate')).toBe('Bearer');
});
