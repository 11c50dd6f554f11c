import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, edge, problem } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const [first, second] = [adapterFile('first'), adapterFile('second')];
const path = '/v1/adapters/tumour/aliases/stable';

beforeEach(async () => {
  await push(world.key, 'tumour', first);
  await push(world.key, 'tumour', second);
});

const set = (version: unknown, expected: unknown, to = path) =>
  edge('PUT', to, { key: world.key, json: { version, expected } });
const remove = (query = '') => edge('DELETE', path + query, { key: world.key });

const use = () => edge('POST', '/v1/segmentations?adapter=tumour@stable', { key: world.key, body: new Uint8Array(9) });
const removeVersion = () => edge('DELETE', '/v1/adapters/tumour/versions/1', { key: world.key });

async function place(): Promise<number | undefined> {
  const shown = await (await edge('GET', '/v1/adapters/tumour', { key: world.key })).json<{
    aliases: Record<string, number>;
  }>();
  return shown.aliases['stable'];
}

describe('an alias', () => {
  test('is made where there is none, moved from where it is, and used', async () => {
    const made = await set(1, null);
    expect(made.status).toBe(200);
    expect(await made.json()).toEqual({ adapter: 'acme/tumour', alias: 'stable', version: 1 });
    expect((await use()).headers.get('x-adapter-digest')).toBe(sha256(first));
    expect((await set(2, 1)).status).toBe(200);
    expect((await use()).headers.get('x-adapter-digest')).toBe(sha256(second));
  });

  test.each([
    ['where there must be none but is one', 2, null, 1],
    ['from where it is not', 2, 2, 1],
  ])('does not move %s, and its place is told', async (_, version, expected, at) => {
    await set(1, null);
    const { detail, ...told } = await problem(await set(version, expected));
    expect(told).toMatchObject({ status: 409, code: 'alias_conflict' });
    expect(detail).toContain(String(at));
    expect(await place()).toBe(at);
  });

  test('that is not there is not moved', async () => {
    expect(await problem(await set(1, 2))).toMatchObject({ status: 409, code: 'alias_conflict' });
    expect(await place()).toBeUndefined();
  });

  test('never points at a version that is not there', async () => {
    expect(await problem(await set(3, null))).toMatchObject({ status: 404, code: 'not_found' });
    expect(await problem(await set(1, null, '/v1/adapters/nothing/aliases/stable'))).toMatchObject({ status: 404 });
  });

  test.each(['verifying', 'rejected'])('never moves onto a version that is %s', async (status) => {
    await env.DB.prepare('UPDATE versions SET status = ?, lease_until = 9e15 WHERE version = 2').bind(status).run();
    expect(await problem(await set(2, null))).toMatchObject({ status: 409, code: 'adapter_not_ready' });
    await set(1, null);
    expect(await problem(await set(2, 1))).toMatchObject({ status: 409, code: 'adapter_not_ready' });
    expect(await place()).toBe(1);
  });

  test('of one name belongs to each adapter by itself', async () => {
    await push(world.key, 'other', first);
    await set(2, null);
    expect((await set(1, null, '/v1/adapters/other/aliases/stable')).status).toBe(200);
    expect(await place()).toBe(2);
  });

  test('of a tenant is set by the operator under its full name', async () => {
    const full = '/v1/adapters/acme%2Ftumour/aliases/stable';
    const reply = await edge('PUT', full, { key: ADMIN, json: { version: 1, expected: null } });
    expect(await reply.json()).toMatchObject({ adapter: 'acme/tumour', version: 1 });
    const short = await edge('PUT', path, { key: ADMIN, json: { version: 1, expected: null } });
    expect(await problem(short)).toMatchObject({ status: 400, code: 'invalid_request' });
  });
});

test.each(['latest', '3', '1.0', 'Stable', 'a%2Fb'])('%s is no name of an alias', async (alias) => {
  for (const method of ['PUT', 'DELETE']) {
    const call = method === 'PUT' ? { json: { version: 1, expected: null } } : {};
    const reply = await edge(method, `/v1/adapters/tumour/aliases/${alias}`, { key: world.key, ...call });
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  }
});

test.each([
  {},
  { version: 1 },
  { expected: null },
  { version: 0, expected: null },
  { version: '1', expected: null },
  { version: 1, expected: 0 },
  { version: 1, expected: null, force: true },
])('%j says not both, where to and from where', async (json) => {
  const reply = await edge('PUT', path, { key: world.key, json });
  expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  expect(await place()).toBeUndefined();
});

describe('deleting an alias', () => {
  test('frees its version', async () => {
    await set(1, null);
    expect(await problem(await removeVersion())).toMatchObject({ status: 409, code: 'in_use' });
    expect((await remove()).status).toBe(204);
    expect(await place()).toBeUndefined();
    expect((await removeVersion()).status).toBe(204);
  });

  test('that is not there is not found', async () => {
    expect(await problem(await remove())).toMatchObject({ status: 404, code: 'not_found' });
    expect(await problem(await remove('?expected=1'))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('happens only where it is expected, if that is said', async () => {
    await set(1, null);
    expect(await problem(await remove('?expected=2'))).toMatchObject({ status: 409, code: 'alias_conflict' });
    expect(await place()).toBe(1);
    expect((await remove('?expected=1')).status).toBe(204);
    expect(await problem(await remove('?expected=x'))).toMatchObject({ status: 400, code: 'invalid_request' });
  });
});
