import { env } from 'cloudflare:workers';
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keyCreatedSchema, type Scope } from '../../schemas/api.ts';
import { ADMIN, edge, makeKey, problem } from './support/edge.ts';
import { everyRow } from './support/tables.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const DAY_MS = 86_400_000;

const rotate = (id: string, json: unknown = {}, key = world.key) =>
  edge('POST', `/v1/tenants/acme/keys/${id}/rotate`, { key, json });
const works = async (key: string, vars = {}) => (await edge('GET', '/v1/adapters', { key, vars })).status;

async function rotated(id: string, json: unknown = {}) {
  const reply = await rotate(id, json);
  expect(reply.status).toBe(201);
  return keyCreatedSchema.parse(await reply.json());
}

async function expiryOf(id: string): Promise<number | null> {
  const { data } = await (await edge('GET', '/v1/tenants/acme/keys', { key: world.key })).json<{
    data: { id: string; expires_at: string | null }[];
  }>();
  const shown = data.find((key) => key.id === id)?.expires_at ?? null;
  return shown === null ? null : Date.parse(shown);
}

describe('a rotated key', () => {
  test('has a successor that may do the same, and both work for a day', async () => {
    const scopes: Scope[] = ['segment', 'adapters:read'];
    const old = await makeKey('acme', scopes);
    const before = Date.now();
    const made = await rotated(old.id);
    expect(made).toMatchObject({ name: 'test', scopes, expires_at: null });
    expect([made.id === old.id, made.key === old.key]).toEqual([false, false]);
    expect([await works(old.key), await works(made.key)]).toEqual([200, 200]);
    const expiry = await expiryOf(old.id);
    expect(expiry).toBeGreaterThanOrEqual(before + DAY_MS);
    expect(expiry).toBeLessThanOrEqual(Date.now() + DAY_MS);
    await env.DB.prepare('UPDATE keys SET expires_at = ? WHERE id = ?').bind(Date.now(), old.id).run();
    expect([await works(old.key), await works(made.key)]).toEqual([401, 200]);
  });

  test('stops at once without an overlap', async () => {
    const old = await makeKey('acme');
    const made = await rotated(old.id, { overlap_seconds: 0 });
    expect([await works(old.key), await works(made.key)]).toEqual([401, 200]);
  });

  test('never works longer than it would have, and hands its expiry on', async () => {
    const expiry = Date.now() + 3_600_000;
    const old = await makeKey('acme', ['adapters:read'], new Date(expiry).toISOString());
    const made = await rotated(old.id, { overlap_seconds: 30 * 86_400 });
    expect(await expiryOf(old.id)).toBe(expiry);
    expect(Date.parse(made.expires_at ?? '')).toBe(expiry);
  });

  test('may rotate itself', async () => {
    const old = await makeKey('acme');
    const reply = await rotate(old.id, { overlap_seconds: 0 }, old.key);
    expect(reply.status).toBe(201);
    expect(await works(old.key)).toBe(401);
  });

  test('is not rotated again, its successor is', async () => {
    const old = await makeKey('acme');
    const made = await rotated(old.id);
    expect(await problem(await rotate(old.id))).toMatchObject({ status: 409, code: 'conflict' });
    expect((await rotate(made.id)).status).toBe(201);
  });

  test('has one successor where two ask at once', async () => {
    const old = await makeKey('acme');
    const replies = await Promise.all([rotate(old.id), rotate(old.id), rotate(old.id)]);
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    expect(replies.filter((reply) => reply.status === 409)).toHaveLength(2);
  });
});

test('a key that ended is not rotated', async () => {
  const old = await makeKey('acme');
  await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(old.id).run();
  expect(await problem(await rotate(old.id))).toMatchObject({ status: 409, code: 'conflict' });
});

test('nobody rotates into scopes that it lacks', async () => {
  const strong = await makeKey('acme');
  const { key } = await makeKey('acme', ['tenant:admin', 'segment']);
  const { results: before } = await env.DB.prepare('SELECT * FROM keys').all();
  expect(await problem(await rotate(strong.id, {}, key))).toMatchObject({ status: 403, code: 'forbidden' });
  expect((await env.DB.prepare('SELECT * FROM keys').all()).results).toEqual(before);
  const weak = await makeKey('acme', ['segment']);
  expect((await rotate(weak.id, {}, key)).status).toBe(201);
});

test("another tenant's key is not found, by whichever tenant", async () => {
  const theirs = await makeKey('umbrella');
  expect(await problem(await rotate(theirs.id))).toMatchObject({ status: 404, code: 'not_found' });
  const path = `/v1/tenants/umbrella/keys/${theirs.id}/rotate`;
  expect((await edge('POST', path, { key: world.key, json: {} })).status).toBe(404);
  expect((await edge('POST', path, { key: ADMIN, json: {} })).status).toBe(201);
  expect(await problem(await rotate('nothing'))).toMatchObject({ status: 404, code: 'not_found' });
});

test.each([
  { overlap_seconds: -1 },
  { overlap_seconds: 30 * 86_400 + 1 },
  { overlap_seconds: '1' },
  { overlap: 1 },
  [],
])('%j rotates nothing', async (json) => {
  const old = await makeKey('acme');
  expect(await problem(await rotate(old.id, json))).toMatchObject({ status: 400, code: 'invalid_request' });
  expect(await expiryOf(old.id)).toBeNull();
});

test('no table holds a key, whole or without its prefix', async () => {
  const old = await makeKey('acme');
  const made = await rotated(old.id);
  const stored = JSON.stringify(await everyRow());
  for (const { id, key } of [old, made]) {
    expect(stored).toContain(id);
    expect(stored).not.toContain(key.slice('pdora_'.length));
  }
});

describe('with another pepper', () => {
  const NEW = 'another-pepper-of-the-tests';
  const both = { KEY_PEPPER: NEW, KEY_PEPPER_PREVIOUS: env.KEY_PEPPER };
  const alone = { KEY_PEPPER: NEW };

  test('a key works while the previous one is set, and from its first use on without it', async () => {
    const [used, unused] = [await makeKey('acme'), await makeKey('acme')];
    expect(await works(used.key, alone)).toBe(401);
    expect(await works(used.key, both)).toBe(200);
    expect([await works(used.key, both), await works(used.key, alone)]).toEqual([200, 200]);
    expect(await works(unused.key, alone)).toBe(401);
    expect(await works(used.key)).toBe(401);
    const hashes = await env.DB.prepare('SELECT hash FROM keys').all<{ hash: string }>();
    expect(hashes.results.map(({ hash }) => hash)).toContain(createHmac('sha256', NEW).update(used.key).digest('hex'));
  });

  test('new keys are kept under the new one', async () => {
    const call = { key: world.key, json: { name: 'new', scopes: ['adapters:read'] }, vars: both };
    const made = keyCreatedSchema.parse(await (await edge('POST', '/v1/tenants/acme/keys', call)).json());
    expect(await works(made.key, alone)).toBe(200);
  });

  test('a revoked key stays revoked, and an expired one expired', async () => {
    const [revoked, expired] = [await makeKey('acme'), await makeKey('acme')];
    await edge('DELETE', `/v1/tenants/acme/keys/${revoked.id}`, { key: world.key });
    await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(expired.id).run();
    expect([await works(revoked.key, both), await works(expired.key, both)]).toEqual([401, 401]);
  });
});
