import { describe, expect, test } from 'vitest';
import { ADMIN, edge, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_FILE, BASE_STAND_IN, hex, push, reprDigest, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const numerically = (a: number, b: number) => a - b;

/** The body in two pieces, however long its Content-Length says it is. */
function streamed(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const half = Math.floor(bytes.byteLength / 2);
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(bytes.slice(0, half));
      controller.enqueue(bytes.slice(half));
      controller.close();
    },
  });
}

async function expectNothingStored(): Promise<void> {
  const { blobs, rows } = await stored();
  expect(blobs).toEqual([`blobs/${hex(sha256(BASE_STAND_IN))}`]);
  expect(rows).toEqual({ files: 1, file_holds: 0, bases: 1, adapters: 0, versions: 0, aliases: 0, grants: 0 });
  expect((await push(world.key, 'tumour', file)).status).toBe(201);
}

describe.each([
  ['with Repr-Digest', { 'repr-digest': reprDigest(file) }],
  ['without Repr-Digest', {}],
])('an upload %s', (_, headers: Record<string, string>) => {
  test('makes version 1, verified by the runner and then ready', async () => {
    const reply = await push(world.key, 'tumour', file, headers);
    expect(reply.status).toBe(201);
    const digest = sha256(file);
    expect(await reply.json()).toEqual({ adapter: 'acme/tumour', version: 1, digest, status: 'verifying' });
    const { blobs, rows } = await stored();
    expect(blobs).toEqual([`blobs/${hex(sha256(BASE_STAND_IN))}`, `blobs/${hex(digest)}`].toSorted());
    expect(rows).toMatchObject({ files: 2, file_holds: 0, versions: 1 });
    expect(world.runner.calls.map((call) => call.path)).toEqual(['/verify']);
    const shown = await edge('GET', '/v1/adapters/tumour', { key: world.key });
    expect(await shown.json()).toMatchObject({ latest: 1, status: 'ready', problems: [] });
  });

  test('of the same bytes again is the same version', async () => {
    await push(world.key, 'tumour', file, headers);
    const again = await push(world.key, 'tumour', file, headers);
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ version: 1, status: 'ready' });
    expect((await stored()).rows).toMatchObject({ files: 2, file_holds: 0, versions: 1 });
  });

  test('of other bytes is the next version', async () => {
    await push(world.key, 'tumour', adapterFile('before'));
    const reply = await push(world.key, 'tumour', file, headers);
    expect(await reply.json()).toMatchObject({ version: 2 });
  });

  test('whose body ends early stores nothing', async () => {
    const call = {
      key: world.key,
      body: streamed(file.slice(0, -5)),
      headers: { ...headers, 'content-length': String(file.byteLength) },
    };
    const reply = await edge('POST', '/v1/adapters/tumour/versions', call);
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    await expectNothingStored();
  });

  test('whose body is longer than promised stores nothing', async () => {
    const call = {
      key: world.key,
      body: streamed(new Uint8Array([...file, 0])),
      headers: { ...headers, 'content-length': String(file.byteLength) },
    };
    const reply = await edge('POST', '/v1/adapters/tumour/versions', call);
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    await expectNothingStored();
  });

  test('whose body breaks off stores nothing', async () => {
    const broken = new ReadableStream({
      type: 'bytes',
      start: (controller) => controller.enqueue(file.slice(0, file.byteLength - 100)),
      pull: (controller) => controller.error(new Error('the caller went away')),
    });
    const call = { key: world.key, body: broken, headers: { ...headers, 'content-length': String(file.byteLength) } };
    expect((await edge('POST', '/v1/adapters/tumour/versions', call)).status).toBe(500);
    await expectNothingStored();
  });

  test('eight times at once makes one version', async () => {
    const replies = await Promise.all(Array.from({ length: 8 }, () => push(world.key, 'tumour', file, headers)));
    expect(replies.map((reply) => reply.status).toSorted(numerically)).toEqual([
      200, 200, 200, 200, 200, 200, 200, 201,
    ]);
    const bodies = await Promise.all(replies.map((reply) => reply.json<{ version: number }>()));
    expect(new Set(bodies.map((body) => body.version))).toEqual(new Set([1]));
    const { blobs, rows } = await stored();
    expect(blobs).toHaveLength(2);
    expect(rows).toMatchObject({ files: 2, file_holds: 0, versions: 1 });
    expect(world.runner.calls.filter((call) => call.path === '/verify')).toHaveLength(1);
  });
});

test('different files at once get different numbers', async () => {
  const replies = await Promise.all(['a', 'b', 'c', 'd'].map((text) => push(world.key, 'tumour', adapterFile(text))));
  const bodies = await Promise.all(replies.map((reply) => reply.json<{ version: number }>()));
  expect(bodies.map((body) => body.version).toSorted(numerically)).toEqual([1, 2, 3, 4]);
});

test('another digest than the body has stores nothing', async () => {
  const reply = await push(world.key, 'tumour', file, { 'repr-digest': reprDigest(adapterFile('another')) });
  expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  await expectNothingStored();
});

test("the digest of another tenant's file without its bytes gives nothing", async () => {
  const secret = adapterFile('secret');
  await push(world.other, 'secret', secret);
  const reply = await push(world.key, 'mine', file, { 'repr-digest': reprDigest(secret) });
  expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  expect((await edge('GET', '/v1/adapters/mine', { key: world.key })).status).toBe(404);
  expect((await edge('GET', '/v1/adapters/secret/file', { key: world.other })).status).toBe(200);
});

test.each(['sha-256=abc', 'sha-256=::', 'sha-256=:AAAA:'])(
  'an unreadable Repr-Digest %s is refused',
  async (header) => {
    const reply = await push(world.key, 'tumour', file, { 'repr-digest': header });
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    await expectNothingStored();
  },
);

test('a digest in another algorithm alone is as none', async () => {
  expect((await push(world.key, 'tumour', file, { 'repr-digest': 'sha-512=:AAAA:' })).status).toBe(201);
});

test('without Content-Length it is refused', async () => {
  const reply = await edge('POST', '/v1/adapters/tumour/versions', { key: world.key, body: streamed(file) });
  expect(await problem(reply)).toMatchObject({ status: 411, code: 'length_required' });
  await expectNothingStored();
});

test('over 95 MB it is refused by Content-Length alone', async () => {
  let read = false;
  const body = new ReadableStream({
    type: 'bytes',
    pull: () => {
      read = true;
    },
  });
  const call = { key: world.key, body, headers: { 'content-length': '95000001' } };
  const reply = await edge('POST', '/v1/adapters/tumour/versions', call);
  expect(await problem(reply)).toMatchObject({ status: 413, code: 'too_large' });
  expect(read).toBe(false);
  await expectNothingStored();
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['seven bytes', new Uint8Array(7)],
  ['a header longer than the file', file.slice(0, 100)],
  ['a file with a byte too many', new Uint8Array([...file, 0])],
  // A global and a call of it, which whoever unpickles it runs; and the beginning of the archive that torch.save writes.
  ['a pickle', new TextEncoder().encode("cposix\nsystem\n(S'true'\ntR.")],
  ['an archive of pickles', new TextEncoder().encode('PK\u0003\u0004\u0000\u0000\u0008\u0008archive/data.pkl')],
  ['a header over a mebibyte', new Uint8Array([1, 0, 0x10, 0, 0, 0, 0, 0, ...new Uint8Array(2 ** 20 + 100)])],
])('%s is no adapter, with the problem that it has', async (_, bytes) => {
  const reply = await push(world.key, 'tumour', bytes);
  const { status, code, problems } = await problem(reply);
  expect({ status, code }).toEqual({ status: 422, code: 'invalid_adapter' });
  expect(problems?.map((found) => found.code)).toContain('container');
  await expectNothingStored();
});

test('an adapter of a base that is not served here is refused', async () => {
  const text = new TextDecoder('latin1').decode(file).replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`);
  const reply = await push(
    world.key,
    'tumour',
    Uint8Array.from(text, (character) => character.charCodeAt(0)),
  );
  expect((await problem(reply)).problems?.map((found) => found.code)).toEqual(['unknown_base']);
  await expectNothingStored();
});

test('a base is no adapter', async () => {
  const reply = await push(world.key, 'tumour', BASE_FILE);
  expect((await problem(reply)).problems?.map((found) => found.code)).toContain('manifest');
  await expectNothingStored();
});

test.each(['Tumour', 'a'.repeat(65), 'a@3', '-a', '__base__'])('the name %s is refused', async (name) => {
  expect(await problem(await push(world.key, name, file))).toMatchObject({ status: 400, code: 'invalid_request' });
  await expectNothingStored();
});

test("a tenant may name itself in full, and nobody else's adapters", async () => {
  expect((await push(world.key, 'acme/tumour', file)).status).toBe(201);
  expect(await problem(await push(world.key, 'umbrella/tumour', file))).toMatchObject({
    status: 404,
    code: 'not_found',
  });
});

test('the admin key names the tenant in full', async () => {
  expect((await push(ADMIN, 'acme/tumour', file)).status).toBe(201);
  expect(await problem(await push(ADMIN, 'tumour', file))).toMatchObject({ status: 400, code: 'invalid_request' });
  expect((await edge('GET', '/v1/adapters/tumour', { key: world.key })).status).toBe(200);
});

test('an upload for a tenant that is not there stores nothing', async () => {
  expect(await problem(await push(ADMIN, 'nobody/tumour', file))).toMatchObject({ status: 404, code: 'not_found' });
  await expectNothingStored();
});
