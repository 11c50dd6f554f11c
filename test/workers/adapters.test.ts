import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { adapterSchema, modelListSchema } from '../../schemas/api.ts';
import { ADMIN, edge, makeKey, makeTenant, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, BASE_STAND_IN, hex, push, reprDigest, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const [first, second] = [adapterFile('first'), adapterFile('second')];

beforeEach(async () => {
  await push(world.key, 'tumour', first);
  await push(world.key, 'tumour', second);
});

const get = (path: string, headers: Record<string, string> = {}) => edge('GET', path, { key: world.key, headers });

const remove = (path: string, key = world.key) => edge('DELETE', path, { key });

describe('GET /v1/adapters/{ref}', () => {
  test.each([
    ['tumour', 2],
    ['tumour@latest', 2],
    ['tumour@1', 1],
    ['acme/tumour@1', 1],
    [sha256(first), 1],
  ])('%s shows version %i, with all versions', async (ref, version) => {
    const reply = await get(`/v1/adapters/${encodeURIComponent(ref)}`);
    expect(reply.status).toBe(200);
    const shown = adapterSchema.parse(await reply.json());
    expect(shown).toMatchObject({
      adapter: 'acme/tumour',
      version,
      latest: 2,
      aliases: { latest: 2 },
      base: BASE_DIGEST,
    });
    expect(shown.description).toBe(version === 1 ? 'first' : 'second');
    expect(shown.labels.map((label) => label.name)).toEqual(['background', 'left', 'right']);
    expect(shown.versions.map((one) => [one.version, one.digest, one.size, one.status])).toEqual([
      [1, sha256(first), first.byteLength, 'ready'],
      [2, sha256(second), second.byteLength, 'ready'],
    ]);
  });

  test.each([
    'tumour@3',
    'tumour@stable',
    'nothing',
    'umbrella/tumour',
    'acme/nothing@1',
    sha256(BASE_STAND_IN),
    '__base__',
  ])('%s is not found', async (ref) => {
    expect(await problem(await get(`/v1/adapters/${encodeURIComponent(ref)}`))).toMatchObject({
      status: 404,
      code: 'not_found',
    });
  });

  test.each(['Tumour', 'a@b@c', 'tumour@0', 'tumour@-1', 'a/b/c', 'sha256:12', '@1'])(
    '%s is no reference',
    async (ref) => {
      const reply = await get(`/v1/adapters/${encodeURIComponent(ref)}`);
      expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  test('an alias names its version', async () => {
    await env.DB.prepare("INSERT INTO aliases VALUES ('acme', 'tumour', 'stable', 1)").run();
    const reply = await get('/v1/adapters/tumour%40stable');
    expect(await reply.json()).toMatchObject({ version: 1, aliases: { stable: 1, latest: 2 } });
  });
});

describe('GET /v1/adapters/{ref}/file', () => {
  const path = '/v1/adapters/tumour%401/file';
  const etag = `"${sha256(first)}"`;

  test('gives the bytes, never changing', async () => {
    const reply = await get(path);
    expect(reply.status).toBe(200);
    expect(new Uint8Array(await reply.arrayBuffer())).toEqual(first);
    expect(reply.headers.get('etag')).toBe(etag);
    expect(reply.headers.get('content-length')).toBe(String(first.byteLength));
    expect(reply.headers.get('accept-ranges')).toBe('bytes');
    expect(reply.headers.get('repr-digest')).toBe(reprDigest(first));
    expect(reply.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
  });

  test('of a name that moves is not to be kept without asking', async () => {
    const reply = await get('/v1/adapters/tumour/file');
    expect(reply.headers.get('etag')).toBe(`"${sha256(second)}"`);
    expect(reply.headers.get('cache-control')).toBe('private, no-cache');
  });

  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=10-', 10, first.byteLength],
    ['bytes=-7', first.byteLength - 7, first.byteLength],
    [`bytes=5-${first.byteLength + 100}`, 5, first.byteLength],
    [`bytes=-${first.byteLength + 100}`, 0, first.byteLength],
  ])('%s gives that range', async (range, begin, end) => {
    const reply = await get(path, { range });
    expect(reply.status).toBe(206);
    expect(reply.headers.get('content-range')).toBe(`bytes ${begin}-${end - 1}/${first.byteLength}`);
    expect(reply.headers.get('content-length')).toBe(String(end - begin));
    expect(new Uint8Array(await reply.arrayBuffer())).toEqual(first.slice(begin, end));
  });

  test.each(['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-3', 'bytes=-', 'nonsense'])('%s gives the whole', async (range) => {
    const reply = await get(path, { range });
    expect(reply.status).toBe(200);
    expect((await reply.arrayBuffer()).byteLength).toBe(first.byteLength);
  });

  test.each([`bytes=${first.byteLength}-`, 'bytes=-0'])('%s lies outside', async (range) => {
    const reply = await get(path, { range });
    expect(await problem(reply)).toMatchObject({ status: 416, code: 'range_not_satisfiable' });
    expect(reply.headers.get('content-range')).toBe(`bytes */${first.byteLength}`);
  });

  test('a range of another version than If-Range names is the whole', async () => {
    expect((await get(path, { range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await get(path, { range: 'bytes=0-9', 'if-range': `"${sha256(second)}"` })).status).toBe(200);
  });

  test('who has it gets 304', async () => {
    const reply = await get(path, { 'if-none-match': `"x", ${etag}` });
    expect(reply.status).toBe(304);
    expect(await reply.text()).toBe('');
    expect((await get(path, { 'if-none-match': '"x"' })).status).toBe(200);
  });

  test('is for its owner alone, whatever else a grant shows', async () => {
    await env.DB.prepare("INSERT INTO grants VALUES ('acme', 'tumour', 'umbrella')").run();
    expect((await edge('GET', '/v1/adapters/acme%2Ftumour', { key: world.other })).status).toBe(200);
    for (const ref of ['acme%2Ftumour', 'acme%2Ftumour%401', sha256(first)]) {
      expect((await edge('GET', `/v1/adapters/${ref}/file`, { key: world.other })).status).toBe(404);
    }
    expect((await edge('GET', '/v1/adapters/acme%2Ftumour/file', { key: ADMIN })).status).toBe(200);
  });
});

describe('lists', () => {
  test('an adapter is listed with its newest ready version, page by page', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await push(world.key, name, adapterFile(name));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const reply = await get(`/v1/adapters?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      const page = await reply.json<{ data: { adapter: string; latest: number }[]; next_cursor: string | null }>();
      seen.push(...page.data.map((item) => `${item.adapter}@${item.latest}`));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(['acme/a@1', 'acme/b@1', 'acme/c@1', 'acme/d@1', 'acme/tumour@2']);
  });

  test.each(['limit=0', 'limit=201', 'limit=x', 'cursor=', 'cursor=%00', 'cursor=YQ', 'cursor=YS9iL2M'])(
    '?%s is refused',
    async (query) => {
      expect(await problem(await get(`/v1/adapters?${query}`))).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  test('models are the newest ready versions', async () => {
    const models = modelListSchema.parse(await (await get('/v1/models')).json());
    expect(models).toEqual({
      object: 'list',
      data: [{ id: 'acme/tumour', object: 'model', owned_by: 'acme', root: sha256(second), parent: BASE_DIGEST }],
    });
  });

  test('the operator sees the adapters of all tenants', async () => {
    await push(world.other, 'tumour', first);
    const { data } = await (await edge('GET', '/v1/adapters', { key: ADMIN })).json<{ data: { adapter: string }[] }>();
    expect(data.map((item) => item.adapter)).toEqual(['acme/tumour', 'umbrella/tumour']);
  });
});

describe('deleting', () => {
  test('a version leaves, and its number is never used again', async () => {
    expect((await remove('/v1/adapters/tumour/versions/2')).status).toBe(204);
    expect(await (await get('/v1/adapters/tumour')).json()).toMatchObject({ latest: 1 });
    expect(await (await push(world.key, 'tumour', second)).json()).toMatchObject({ version: 3 });
  });

  test('a file that another version needs stays', async () => {
    await push(world.other, 'same', first);
    expect((await remove('/v1/adapters/tumour/versions/1')).status).toBe(204);
    expect((await edge('GET', '/v1/adapters/same/file', { key: world.other })).status).toBe(200);
  });

  test('a file that is uploaded while another version of it is deleted stays', async () => {
    for (let round = 0; round < 5; round++) {
      const file = adapterFile(`round ${round}`);
      await push(world.key, 'passing', file);
      const [kept, gone] = await Promise.all([push(world.other, 'kept', file), remove('/v1/adapters/passing')]);
      expect([kept.status, gone.status]).toEqual([201, 204]);
      const reply = await edge('GET', `/v1/adapters/${sha256(file)}/file`, { key: world.other });
      expect(new Uint8Array(await reply.arrayBuffer())).toEqual(file);
    }
  });

  test('an adapter takes all along; one of its name later is another, with new numbers and no grants', async () => {
    await env.DB.prepare("INSERT INTO grants VALUES ('acme', 'tumour', '*')").run();
    expect((await remove('/v1/adapters/tumour')).status).toBe(204);
    expect((await get('/v1/adapters/tumour')).status).toBe(404);
    expect(await (await get('/v1/adapters')).json()).toEqual({ data: [], next_cursor: null });
    expect(await (await push(world.key, 'tumour', first)).json()).toMatchObject({ version: 3 });
    expect((await edge('GET', '/v1/adapters/acme%2Ftumour', { key: world.other })).status).toBe(404);
  });

  test('the last version takes the adapter and its grants along', async () => {
    await env.DB.prepare("INSERT INTO grants VALUES ('acme', 'tumour', '*')").run();
    for (const version of [1, 2]) expect((await remove(`/v1/adapters/tumour/versions/${version}`)).status).toBe(204);
    expect((await get('/v1/adapters/tumour')).status).toBe(404);
    expect((await stored()).rows).toMatchObject({ versions: 0, grants: 0 });
  });

  test('is refused while an alias points there', async () => {
    await env.DB.prepare("INSERT INTO aliases VALUES ('acme', 'tumour', 'stable', 1)").run();
    for (const path of ['/v1/adapters/tumour/versions/1', '/v1/adapters/tumour']) {
      expect(await problem(await remove(path))).toMatchObject({ status: 409, code: 'in_use' });
    }
    expect((await remove('/v1/adapters/tumour/versions/2')).status).toBe(204);
    expect((await get('/v1/adapters/tumour%40stable')).status).toBe(200);
  });

  test.each([
    'tumour/versions/3',
    'nothing/versions/1',
    'nothing',
    'umbrella%2Ftumour',
    'umbrella%2Ftumour/versions/1',
  ])('what is not there is not found: %s', async (path) => {
    expect(await problem(await remove(`/v1/adapters/${path}`))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('a tenant is gone with all that was its own, and with nothing of another', async () => {
    await push(world.other, 'same', first);
    expect((await remove('/v1/tenants/acme', ADMIN)).status).toBe(204);
    const { blobs, rows } = await stored();
    expect(blobs).toEqual([`blobs/${hex(sha256(BASE_STAND_IN))}`, `blobs/${hex(sha256(first))}`].toSorted());
    expect(rows).toMatchObject({ files: 2, adapters: 1, versions: 1 });
    expect((await get('/v1/adapters')).status).toBe(401);
    expect((await edge('GET', '/v1/adapters/same/file', { key: world.other })).status).toBe(200);
    await makeTenant('acme');
    const { key } = await makeKey('acme');
    expect(await (await edge('GET', '/v1/adapters', { key })).json()).toEqual({ data: [], next_cursor: null });
  });
});
