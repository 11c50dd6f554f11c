import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { ADMIN, edge, problem, stored } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { LABEL_MAP, labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const ROUNDS = 5;

const call = (method: string, path: string, json?: unknown, key = world.key) =>
  edge(method, `/v1/adapters/${path}`, { key, ...(json === undefined ? {} : { json }) });

async function shown(): Promise<{ aliases: Record<string, number>; versions: { version: number }[] }> {
  return (await call('GET', 'tumour')).json();
}

const codes = async (replies: Response[]) =>
  Promise.all(replies.map(async (reply) => (reply.ok ? reply.status : (await problem(reply)).code)));

test('eight uploads of one version at once make one', async () => {
  const replies = await Promise.all(Array.from({ length: 8 }, () => push(world.key, 'tumour', file)));
  expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
  expect(replies.filter((reply) => reply.status === 200)).toHaveLength(7);
  for (const reply of replies) expect(await reply.json()).toMatchObject({ version: 1, digest: sha256(file) });
  expect((await stored()).rows).toMatchObject({ versions: 1, files: 2, file_holds: 0 });
  const created = await env.DB.prepare("SELECT count(*) AS count FROM audit WHERE action = 'version.create'").first();
  expect(created).toEqual({ count: 1 });
  expect(await (await push(world.key, 'tumour', adapterFile('next'))).json()).toMatchObject({ version: 2 });
});

test('eight uploads of eight versions at once make eight, numbered without a gap', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, n) => push(world.key, 'tumour', adapterFile(`version ${n}`))));
  expect((await shown()).versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

describe('an alias', () => {
  test('that two move from one place is moved by one', async () => {
    for (const description of ['', 'b', 'c']) await push(world.key, 'tumour', adapterFile(description));
    await call('PUT', 'tumour/aliases/stable', { version: 1, expected: null });
    for (let round = 0, at = 1; round < ROUNDS; round++) {
      const others = [1, 2, 3].filter((version) => version !== at);
      const move = (version: number) => call('PUT', 'tumour/aliases/stable', { version, expected: at });
      const replies = await Promise.all(others.map(move));
      expect(new Set(await codes(replies))).toEqual(new Set([200, 'alias_conflict']));
      at = others[replies.findIndex((reply) => reply.ok)] ?? 0;
      expect((await shown()).aliases['stable']).toBe(at);
    }
  });

  test('that two make is made by one', async () => {
    for (const description of ['', 'b']) await push(world.key, 'tumour', adapterFile(description));
    const replies = await Promise.all(
      [1, 2].map((version) => call('PUT', 'tumour/aliases/stable', { version, expected: null })),
    );
    expect(new Set(await codes(replies))).toEqual(new Set([200, 'alias_conflict']));
  });

  test('never points at a version that was deleted at the same moment', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const name = `round${round}`;
      await push(world.key, name, adapterFile(name));
      const replies = await Promise.all([
        call('DELETE', `${name}/versions/1`),
        call('PUT', `${name}/aliases/stable`, { version: 1, expected: null }),
      ]);
      const [removed, set] = await codes(replies);
      expect([
        [204, 'not_found'],
        ['in_use', 200],
      ]).toContainEqual([removed, set]);
      expect((await call('GET', `${name}%40stable`)).status).toBe(removed === 204 ? 404 : 200);
    }
  });
});

const start = (adapter: string, key = world.key) =>
  edge('POST', `/v1/segmentations?adapter=${adapter}`, { key, body: new Uint8Array(9) });

/** The runner has the file by the time `meanwhile` happens, and answers after it. */
function during(meanwhile: () => Promise<Response>): void {
  world.runner.segment = async (headers) => {
    const fetched = await edge('GET', `/internal/blobs/${hex(sha256(file))}`, {
      key: env.RUNNER_TOKEN,
      headers: { 'x-grant': headers.get('x-grant') ?? '' },
    });
    expect(sha256(new Uint8Array(await fetched.arrayBuffer()))).toBe(sha256(file));
    expect((await meanwhile()).ok).toBe(true);
    return labelMap(headers);
  };
}

async function expectLabelMap(reply: Response): Promise<void> {
  expect(reply.status).toBe(200);
  expect(reply.headers.get('x-adapter-digest')).toBe(sha256(file));
  expect(reply.headers.get('x-adapter-version')).toBe('1');
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(LABEL_MAP);
}

describe('a segmentation that has started', () => {
  test('gets its label map although the adapter is deleted', async () => {
    await push(world.key, 'tumour', file);
    during(() => call('DELETE', 'tumour'));
    await expectLabelMap(await start('tumour'));
    expect(await problem(await start('tumour'))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('keeps its version although the alias moves', async () => {
    await push(world.key, 'tumour', file);
    await push(world.key, 'tumour', adapterFile('second'));
    await call('PUT', 'tumour/aliases/stable', { version: 1, expected: null });
    during(() => call('PUT', 'tumour/aliases/stable', { version: 2, expected: 1 }));
    await expectLabelMap(await start('tumour@stable'));
    world.runner.segment = (headers) => labelMap(headers);
    expect((await start('tumour@stable')).headers.get('x-adapter-version')).toBe('2');
  });

  test('gets its label map although the grant is withdrawn, and the next one does not start', async () => {
    await push(world.key, 'tumour', file);
    await call('PUT', 'tumour/grants/umbrella');
    during(() => call('DELETE', 'tumour/grants/umbrella'));
    await expectLabelMap(await start('acme/tumour', world.other));
    expect(await problem(await start('acme/tumour', world.other))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('gets its label map although its key is revoked', async () => {
    await push(world.key, 'tumour', file);
    const { data } = await (await edge('GET', '/v1/tenants/acme/keys', { key: world.key })).json<{
      data: { id: string }[];
    }>();
    during(() => edge('DELETE', `/v1/tenants/acme/keys/${data[0]?.id}`, { key: ADMIN }));
    await expectLabelMap(await start('tumour'));
    expect(await problem(await start('tumour'))).toMatchObject({ status: 401, code: 'unauthorized' });
  });
});

test('an upload whose key is revoked before the file has come makes no version', async () => {
  const { data } = await (await edge('GET', '/v1/tenants/acme/keys', { key: world.key })).json<{
    data: { id: string }[];
  }>();
  const { readable, writable } = new FixedLengthStream(file.byteLength);
  const headers = { 'content-length': String(file.byteLength) };
  const writer = writable.getWriter();
  const sending = edge('POST', '/v1/adapters/tumour/versions', { key: world.key, body: readable, headers });
  await writer.write(file.slice(0, 100));
  await edge('DELETE', `/v1/tenants/acme/keys/${data[0]?.id}`, { key: ADMIN });
  await writer.write(file.slice(100));
  await writer.close();
  expect(await problem(await sending)).toMatchObject({ status: 401, code: 'unauthorized' });
  expect((await stored()).rows).toMatchObject({ adapters: 0, versions: 0, files: 1, file_holds: 0 });
});
