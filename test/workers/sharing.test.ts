import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, edge, makeKey, makeTenant, problem, stored } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const grants = '/v1/adapters/tumour/grants';
const OFF = { PUBLIC_ADAPTERS: 'false' };

beforeEach(async () => {
  await push(world.key, 'tumour', file);
  const stable = { key: world.key, json: { version: 1, expected: null } };
  await edge('PUT', '/v1/adapters/tumour/aliases/stable', stable);
  world.runner.calls.length = 0;
});

const give = (grantee: string, vars = {}) => edge('PUT', `${grants}/${grantee}`, { key: world.key, vars });
const withdraw = (grantee: string) => edge('DELETE', `${grants}/${grantee}`, { key: world.key });
const REFS = ['acme/tumour', 'acme/tumour@1', 'acme/tumour@stable', sha256(file)];

/** Every way in which another tenant could come across the adapter: those by which it does. */
async function waysIn(key: string, vars = {}): Promise<string[]> {
  const ways: string[] = [];
  for (const path of ['/v1/adapters', '/v1/models']) {
    if ((await (await edge('GET', path, { key, vars })).text()).includes('acme/tumour')) ways.push(path);
  }
  for (const ref of REFS.map(encodeURIComponent)) {
    for (const [method, path] of [
      ['GET', `/v1/adapters/${ref}`],
      ['GET', `/v1/adapters/${ref}/file`],
      ['POST', `/v1/segmentations?adapter=${ref}`],
    ] as const) {
      const body = method === 'POST' ? { body: new Uint8Array(9) } : {};
      const { status } = await edge(method, path, { key, vars, ...body });
      if (status === 200) ways.push(`${method} ${path}`);
      else expect({ path, status }).toEqual({ path, status: 404 });
    }
  }
  return ways;
}

const USE_AND_METADATA = [
  '/v1/adapters',
  '/v1/models',
  ...REFS.map(encodeURIComponent).flatMap((ref) => [
    `GET /v1/adapters/${ref}`,
    `POST /v1/segmentations?adapter=${ref}`,
  ]),
];

describe.each(['umbrella', '*'])('a grant to %s', (grantee) => {
  test('gives use and metadata on every route, never the file, until it is withdrawn', async () => {
    expect(await waysIn(world.other)).toEqual([]);
    expect((await give(grantee)).status).toBe(204);
    expect(await waysIn(world.other)).toEqual(USE_AND_METADATA);
    expect((await withdraw(grantee)).status).toBe(204);
    expect(await waysIn(world.other)).toEqual([]);
  });

  test('gives nothing of what its owner may do', async () => {
    await give(grantee);
    const before = await stored();
    for (const [method, path, json] of [
      ['DELETE', '', undefined],
      ['DELETE', '/versions/1', undefined],
      ['DELETE', '/aliases/stable', undefined],
      ['PUT', '/aliases/stable', { version: 1, expected: 1 }],
      ['GET', '/grants', undefined],
      ['PUT', '/grants/third', undefined],
      ['DELETE', `/grants/${grantee}`, undefined],
    ] as const) {
      const call = json === undefined ? {} : { json };
      const reply = await edge(method, `/v1/adapters/acme%2Ftumour${path}`, { key: world.other, ...call });
      expect(await problem(reply)).toMatchObject({ status: 404, code: 'not_found' });
    }
    expect(await stored()).toEqual(before);
  });
});

test('a grant to one tenant is nothing to another', async () => {
  await makeTenant('third');
  const { key } = await makeKey('third');
  await give('umbrella');
  expect(await waysIn(key)).toEqual([]);
});

test('granting twice is granting once, and withdrawing what is not granted is not found', async () => {
  expect([(await give('umbrella')).status, (await give('umbrella')).status]).toEqual([204, 204]);
  expect((await withdraw('umbrella')).status).toBe(204);
  expect(await problem(await withdraw('umbrella'))).toMatchObject({ status: 404, code: 'not_found' });
});

test('a tenant that is not there is granted to alike, so that nobody learns who is', async () => {
  const [there, absent] = [await give('umbrella'), await give('nobody')];
  expect([there.status, absent.status]).toEqual([204, 204]);
  const list = await edge('GET', grants, { key: world.key });
  expect(await list.json()).toEqual({ data: [{ tenant: 'nobody' }, { tenant: 'umbrella' }], next_cursor: null });
});

test('the list of grants goes page by page', async () => {
  for (const name of ['a', 'b', 'c']) await give(name);
  const page = await (await edge('GET', `${grants}?limit=2`, { key: world.key })).json<{ next_cursor: string }>();
  expect(page).toMatchObject({ data: [{ tenant: 'a' }, { tenant: 'b' }] });
  const rest = await edge('GET', `${grants}?limit=2&cursor=${page.next_cursor}`, { key: world.key });
  expect(await rest.json()).toEqual({ data: [{ tenant: 'c' }], next_cursor: null });
});

test('nobody grants to itself, or to what is no tenant', async () => {
  for (const grantee of ['acme', 'Big', '**', 'a%2Fb']) {
    expect(await problem(await give(grantee))).toMatchObject({ status: 400, code: 'invalid_request' });
  }
});

test('what is not there cannot be shared', async () => {
  for (const method of ['PUT', 'DELETE']) {
    const reply = await edge(method, '/v1/adapters/nothing/grants/umbrella', { key: world.key });
    expect(await problem(reply)).toMatchObject({ status: 404, code: 'not_found' });
  }
  const gone = '/v1/adapters/tumour';
  await edge('DELETE', `${gone}/aliases/stable`, { key: world.key });
  expect((await edge('DELETE', gone, { key: world.key })).status).toBe(204);
  expect(await problem(await give('umbrella'))).toMatchObject({ status: 404, code: 'not_found' });
  expect((await stored()).rows).toMatchObject({ grants: 0 });
});

describe('where the operator allows no public adapters', () => {
  test('granting to everyone is forbidden, and it says why', async () => {
    const { detail, ...told } = await problem(await give('*', OFF));
    expect(told).toMatchObject({ status: 403, code: 'forbidden' });
    expect(detail).toContain('operator');
    expect((await give('umbrella', OFF)).status).toBe(204);
  });

  test('a grant to everyone that was made before gives nothing, and can be withdrawn', async () => {
    await give('*');
    expect(await waysIn(world.other, OFF)).toEqual([]);
    const list = await edge('GET', grants, { key: world.key, vars: OFF });
    expect(await list.json()).toMatchObject({ data: [{ tenant: '*' }] });
    const gone = await edge('DELETE', `${grants}/*`, { key: world.key, vars: OFF });
    expect(gone.status).toBe(204);
    expect(await waysIn(world.other)).toEqual([]);
  });
});

test('the operator shares and withdraws for a tenant, under the full name', async () => {
  const path = '/v1/adapters/acme%2Ftumour/grants/umbrella';
  expect((await edge('PUT', path, { key: ADMIN })).status).toBe(204);
  expect(await waysIn(world.other)).toEqual(USE_AND_METADATA);
  expect((await edge('DELETE', path, { key: ADMIN })).status).toBe(204);
  const { results } = await env.DB.prepare('SELECT * FROM grants').all();
  expect(results).toEqual([]);
});
