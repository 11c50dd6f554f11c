import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { auditEntrySchema } from '../../schemas/api-audit.ts';
import { ADMIN, edge, makeKey, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, push, sha256 } from './support/files.ts';
import { labelMap, verified } from './support/runner-stub.ts';
import { everyRow } from './support/tables.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const volume = new Uint8Array(9);

async function audit(key = world.key, query = '') {
  const reply = await edge('GET', `/v1/audit${query}`, { key });
  expect(reply.status).toBe(200);
  const { data } = await reply.json<{ data: unknown[] }>();
  return data.map((line) => auditEntrySchema.parse(line));
}

/** What was written since the test began, the oldest first: action, subject and outcome. */
async function lines(key = world.key): Promise<string[]> {
  const since = (await audit(key)).filter(({ id }) => id > begin);
  return since.toReversed().map(({ action, subject, outcome }) => `${action} ${subject} ${outcome}`);
}

let keyId = '';
let begin = 0;
beforeEach(async () => {
  const made = await makeKey('acme');
  world.key = made.key;
  keyId = made.id;
  begin = (await audit())[0]?.id ?? 0;
});

const segment = (adapter: string, key = world.key) =>
  edge('POST', `/v1/segmentations?adapter=${encodeURIComponent(adapter)}`, { key, body: volume });
const call = (method: string, path: string, json?: unknown) =>
  edge(method, path, { key: world.key, ...(json === undefined ? {} : { json }) });

test('a tenant begins with the lines of its making', async () => {
  const [newest, ...older] = await audit();
  expect(newest).toMatchObject({ tenant: 'acme', actor: 'operator', action: 'key.create', subject: keyId });
  expect(older.at(-1)).toMatchObject({ actor: 'operator', action: 'tenant.create', subject: 'acme', outcome: 'ok' });
});

test('every change writes one line, the newest first, with who, what and which digest', async () => {
  await push(world.key, 'tumour', file);
  await call('PUT', '/v1/adapters/tumour/aliases/stable', { version: 1, expected: null });
  await call('PUT', '/v1/adapters/tumour/grants/umbrella');
  await call('PUT', '/v1/adapters/tumour/grants/umbrella');
  await call('DELETE', '/v1/adapters/tumour/grants/umbrella');
  await call('DELETE', '/v1/adapters/tumour/aliases/stable?expected=1');
  await push(world.key, 'tumour', adapterFile('second'));
  await call('DELETE', '/v1/adapters/tumour/versions/1');
  await call('DELETE', '/v1/adapters/tumour');
  const made = await (await call('POST', '/v1/tenants/acme/keys', { name: 'x', scopes: ['segment'] })).json<{
    id: string;
  }>();
  const next = await (await call('POST', `/v1/tenants/acme/keys/${made.id}/rotate`, {})).json<{ id: string }>();
  await call('DELETE', `/v1/tenants/acme/keys/${made.id}`);
  expect(await lines()).toEqual([
    'version.create acme/tumour@1 ok',
    'version.verify acme/tumour@1 ok',
    'alias.set acme/tumour@stable ok',
    'grant.create acme/tumour/grants/umbrella ok',
    'grant.delete acme/tumour/grants/umbrella ok',
    'alias.delete acme/tumour@stable ok',
    'version.create acme/tumour@2 ok',
    'version.verify acme/tumour@2 ok',
    'version.delete acme/tumour@1 ok',
    'adapter.delete acme/tumour ok',
    `key.create ${made.id} ok`,
    `key.rotate ${made.id} to ${next.id} ok`,
    `key.revoke ${made.id} ok`,
  ]);
  const since = (await audit()).filter(({ id }) => id > begin);
  for (const { action, actor, tenant } of since) {
    expect({ actor, tenant }).toEqual({
      actor: action === 'version.verify' ? 'service' : `key:${keyId}`,
      tenant: 'acme',
    });
  }
  for (const line of since.filter(({ subject }) => subject === 'acme/tumour@1')) {
    expect(line).toMatchObject({ adapter: sha256(file), base: BASE_DIGEST });
  }
});

test('the line has the id that is on the reply', async () => {
  const reply = await push(world.key, 'tumour', file);
  const [, created] = await audit();
  expect(created?.action).toBe('version.create');
  expect(created?.request_id).toBe(reply.headers.get('x-request-id'));
});

test('a version that is found wrong, and sent again, says so', async () => {
  const wrong = { code: 'selftest', path: 'manifest.selftest', message: 'off' };
  world.runner.verify = (headers) => verified(headers, [wrong]);
  await push(world.key, 'tumour', file);
  world.runner.verify = (headers) => verified(headers);
  await push(world.key, 'tumour', file);
  await push(world.key, 'tumour', file);
  expect(await lines()).toEqual([
    'version.create acme/tumour@1 ok',
    'version.verify acme/tumour@1 invalid_adapter',
    'version.create acme/tumour@1 ok',
    'version.verify acme/tumour@1 ok',
  ]);
});

test("what the operator does to a tenant's things stands in that tenant's audit", async () => {
  await push(world.key, 'tumour', file);
  expect((await edge('DELETE', '/v1/adapters/acme%2Ftumour', { key: ADMIN })).status).toBe(204);
  expect((await audit())[0]).toMatchObject({ action: 'adapter.delete', actor: 'operator', tenant: 'acme' });
  expect(JSON.stringify(await audit(world.other))).not.toContain('tumour');
});

test('what changes nothing writes nothing', async () => {
  await push(world.key, 'tumour', file);
  await call('PUT', '/v1/adapters/tumour/aliases/stable', { version: 1, expected: null });
  const before = await lines();
  for (const [method, path, json, status] of [
    ['PUT', '/v1/adapters/tumour/aliases/stable', { version: 1, expected: null }, 409],
    ['PUT', '/v1/adapters/tumour/aliases/stable', { version: 2, expected: 1 }, 404],
    ['DELETE', '/v1/adapters/tumour/aliases/stable?expected=7', undefined, 409],
    ['DELETE', '/v1/adapters/tumour/versions/1', undefined, 409],
    ['DELETE', '/v1/adapters/tumour', undefined, 409],
    ['DELETE', '/v1/adapters/nothing', undefined, 404],
    ['DELETE', '/v1/adapters/tumour/grants/umbrella', undefined, 404],
    ['PUT', '/v1/adapters/nothing/grants/umbrella', undefined, 404],
    ['DELETE', '/v1/tenants/acme/keys/nothing', undefined, 404],
    ['POST', '/v1/tenants/acme/keys/nothing/rotate', {}, 404],
  ] as const) {
    expect([path, (await call(method, path, json)).status]).toEqual([path, status]);
  }
  expect((await push(world.key, 'tumour', file)).status).toBe(200);
  expect(await lines()).toEqual(before);
});

describe('a change whose line cannot be written does not happen', () => {
  test.each([
    ['POST', '/v1/tenants', { id: 'third' }],
    ['POST', '/v1/tenants/acme/keys', { name: 'x', scopes: ['segment'] }],
    ['POST', '/v1/tenants/acme/keys/{id}/rotate', { overlap_seconds: 0 }],
    ['DELETE', '/v1/tenants/acme/keys/{id}', undefined],
    ['POST', '/v1/adapters/acme%2Fother/versions', adapterFile('other')],
    ['PUT', '/v1/adapters/acme%2Ftumour/aliases/new', { version: 1, expected: null }],
    ['PUT', '/v1/adapters/acme%2Ftumour/aliases/stable', { version: 1, expected: 1 }],
    ['DELETE', '/v1/adapters/acme%2Ftumour/aliases/stable', undefined],
    ['PUT', '/v1/adapters/acme%2Ftumour/grants/third', undefined],
    ['DELETE', '/v1/adapters/acme%2Ftumour/grants/umbrella', undefined],
    ['DELETE', '/v1/adapters/acme%2Ftumour/versions/2', undefined],
    ['DELETE', '/v1/adapters/acme%2Ffree', undefined],
  ])('%s %s', async (method, path, sent) => {
    await push(world.key, 'tumour', file);
    await push(world.key, 'tumour', adapterFile('second'));
    await push(world.key, 'free', file);
    await call('PUT', '/v1/adapters/tumour/aliases/stable', { version: 1, expected: null });
    await call('PUT', '/v1/adapters/tumour/grants/umbrella');
    const before = [await everyRow(), await stored()];
    await env.DB.prepare("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END").run();
    const body = sent instanceof Uint8Array ? { body: sent } : sent === undefined ? {} : { json: sent };
    const attempt = () => edge(method, path.replace('{id}', keyId), { key: ADMIN, ...body });
    expect((await problem(await attempt())).status).toBeGreaterThanOrEqual(500);
    expect([await everyRow(), await stored()]).toEqual(before);
    await env.DB.prepare('DROP TRIGGER full').run();
    expect((await attempt()).ok).toBe(true);
  });
});

describe('a segmentation', () => {
  beforeEach(async () => {
    await push(world.key, 'tumour', file);
    begin = (await audit())[0]?.id ?? 0;
  });

  test('writes what was used and how many voxels the runner says', async () => {
    world.runner.segment = (headers) => labelMap(headers, { 'x-voxels': '1234567' });
    const reply = await segment('tumour');
    expect(reply.status).toBe(200);
    expect((await audit())[0]).toEqual({
      id: expect.any(Number),
      at: expect.any(String),
      tenant: 'acme',
      actor: `key:${keyId}`,
      action: 'segmentation.run',
      subject: 'acme/tumour@1',
      adapter: sha256(file),
      base: BASE_DIGEST,
      voxels: 1_234_567,
      outcome: 'ok',
      request_id: reply.headers.get('x-request-id'),
    });
    expect(reply.headers.has('x-voxels')).toBe(false);
  });

  test.each([null, '-1', '1e9', 'many', '9'.repeat(16)])('of %s voxels is of an unknown number', async (said) => {
    world.runner.segment = (headers) => labelMap(headers, { 'x-voxels': said });
    expect((await segment('tumour')).status).toBe(200);
    expect((await audit())[0]).toMatchObject({ outcome: 'ok', voxels: null });
  });

  test('with the base alone names the base', async () => {
    await segment('__base__');
    expect((await audit())[0]).toMatchObject({ subject: '__base__', adapter: null, base: BASE_DIGEST, outcome: 'ok' });
  });

  test('that fails writes its code, once', async () => {
    world.runner.segment = () =>
      Response.json(
        { code: 'invalid_volume', detail: 'no' },
        { status: 422, headers: { 'content-type': 'application/problem+json' } },
      );
    await segment('tumour@1');
    world.runner.segment = () => new Response('<html>');
    await segment('tumour');
    world.runner.down = true;
    await segment('tumour');
    expect(await lines()).toEqual([
      'segmentation.run acme/tumour@1 invalid_volume',
      'segmentation.run acme/tumour@1 bad_runner_reply',
      'segmentation.run acme/tumour@1 runner_unavailable',
    ]);
    for (const line of (await audit()).slice(0, 3)) expect(line).toMatchObject({ adapter: sha256(file), voxels: null });
  });

  test('that is refused before a runner is asked is written too, as it was asked for', async () => {
    await env.DB.prepare("UPDATE versions SET status = 'verifying', lease_until = 9e15").run();
    for (const ref of ['nothing', 'umbrella/secret@3', sha256(volume), 'tumour']) await segment(ref);
    expect(await lines()).toEqual([
      'segmentation.run nothing not_found',
      'segmentation.run umbrella/secret@3 not_found',
      `segmentation.run ${sha256(volume)} not_found`,
      'segmentation.run tumour adapter_not_ready',
    ]);
    expect(world.runner.calls.filter(({ path }) => path === '/segment')).toEqual([]);
  });

  test('whose caller goes away is written', async () => {
    const caller = new AbortController();
    world.runner.segment = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        caller.abort();
      });
    await edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: volume, signal: caller.signal });
    expect(await lines()).toEqual(['segmentation.run acme/tumour@1 cancelled']);
  });

  test('of a shared adapter stands in the audit of who ran it alone', async () => {
    await call('PUT', '/v1/adapters/tumour/grants/umbrella');
    expect((await segment('acme/tumour', world.other)).status).toBe(200);
    expect((await audit(world.other))[0]).toMatchObject({ tenant: 'umbrella', subject: 'acme/tumour@1' });
    expect((await lines()).filter((line) => line.startsWith('segmentation'))).toEqual([]);
  });

  test('hands no label map out whose line cannot be written', async () => {
    await env.DB.prepare("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END").run();
    const reply = await segment('tumour');
    expect(await problem(reply)).toMatchObject({ status: 503, code: 'storage_unavailable' });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    await env.DB.prepare('DROP TRIGGER full').run();
    expect((await segment('tumour')).status).toBe(200);
  });

  test('keeps its own error where its line cannot be written', async () => {
    await env.DB.prepare("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END").run();
    expect(await problem(await segment('nothing'))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('whose tenant is deleted meanwhile ends without a label map and without a trace', async () => {
    world.runner.segment = async (headers) => {
      expect((await edge('DELETE', '/v1/tenants/acme', { key: ADMIN })).status).toBe(204);
      return labelMap(headers);
    };
    expect(await problem(await segment('tumour'))).toMatchObject({ status: 401, code: 'unauthorized' });
    expect(JSON.stringify(await everyRow())).not.toContain('acme');
  });
});

describe('GET /v1/audit', () => {
  test('goes back page by page', async () => {
    for (const name of ['a', 'b', 'c']) await segment(name);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = await (await call('GET', `/v1/audit?limit=2${query}`)).json<{
        data: { subject: string }[];
        next_cursor: string | null;
      }>();
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data.map(({ subject }) => subject));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen.slice(0, 3)).toEqual(['c', 'b', 'a']);
    expect(seen.at(-1)).toBe('acme');
  });

  test('is the own tenant alone, whatever is asked', async () => {
    await segment('nothing');
    expect((await audit(world.key, '?tenant=acme'))[0]).toMatchObject({ subject: 'nothing' });
    for (const tenant of ['umbrella', 'nobody']) {
      const reply = await call('GET', `/v1/audit?tenant=${tenant}`);
      expect(await problem(reply)).toMatchObject({ status: 404, code: 'not_found' });
    }
    expect(new Set((await audit(world.other)).map(({ tenant }) => tenant))).toEqual(new Set(['umbrella']));
  });

  test('shows the operator one tenant, or all', async () => {
    await segment('nothing');
    await edge('POST', '/v1/segmentations?adapter=__base__', { key: ADMIN, body: volume });
    const all = new Set((await audit(ADMIN)).map(({ tenant }) => tenant));
    expect(all).toEqual(new Set(['acme', 'umbrella', null]));
    expect(new Set((await audit(ADMIN, '?tenant=acme')).map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    expect((await edge('GET', '/v1/audit?tenant=nobody', { key: ADMIN })).status).toBe(404);
  });

  test.each(['limit=0', 'cursor=YQ', 'cursor=MA', 'tenant=Big'])('?%s is refused', async (query) => {
    expect(await problem(await call('GET', `/v1/audit?${query}`))).toMatchObject({ status: 400 });
  });
});

test('a line can neither be changed nor deleted', async () => {
  const before = await everyRow();
  for (const change of [
    "UPDATE audit SET outcome = 'internal'",
    "UPDATE audit SET subject = 'something else'",
    "UPDATE audit SET subject = '(deleted)', actor = 'operator', action = 'key.revoke'",
    "UPDATE audit SET subject = '(deleted)', tenant = 'umbrella' WHERE tenant = 'acme'",
    "DELETE FROM audit WHERE tenant = 'acme'",
    'DELETE FROM audit',
  ]) {
    await expect(env.DB.prepare(change).run()).rejects.toThrow('append-only');
  }
  expect(await everyRow()).toEqual(before);
});
