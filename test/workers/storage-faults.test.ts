import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { portsOf } from '../../workers/edge/ports.ts';
import { keepHouse } from '../../workers/edge/services/housekeeping/keep-house.ts';
import { type Choose, chooser } from './support/chooser.ts';
import { ADMIN, type Call, callEdge, edge, ORIGIN, problem } from './support/edge.ts';
import { faultyStorage, type Weather, weather } from './support/faulty-storage.ts';
import { adapterFile, hex, push, reprDigest, sha256 } from './support/files.ts';
import { LABEL_MAP } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const DAY_MS = 86_400_000;
const OPERATIONS = 100;
const TEST_MS = 120_000;
const FILES = Array.from({ length: 6 }, (_, i) => adapterFile(`file ${i}`));

/** One call of a client that tries again, and what it may be answered: at first, and where an earlier try took effect. */
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly call: Call;
  readonly right: readonly number[];
  readonly check?: (reply: Response) => Promise<void>;
}

describe.each([1, 2, 3])('with one call in ten of D1 or R2 failing (%i)', (seed) => {
  test(
    'every answer is right or a 503, and nothing is left wrong',
    async () => {
      const now = weather(seed, 0.1);
      const stormy = faultyStorage(env, now);
      const choose = chooser(seed);
      let refused = 0;
      for (let i = 0; i < OPERATIONS; i++) {
        for (const operation of await plan(choose, now, stormy, i)) {
          refused += await insist(operation, now, stormy);
        }
        if (i % 50 === 49) {
          now.bad = true;
          await keepHouse({ ...portsOf(stormy, createExecutionContext()), now: () => Date.now() + 2 * DAY_MS }).catch(
            () => {},
          );
          now.bad = false;
        }
      }
      expect(now.failed.before).toBeGreaterThan(50);
      expect(now.failed.after).toBeGreaterThan(50);
      expect(refused).toBeGreaterThan(20);
      await expectNothingWrong();
    },
    TEST_MS,
  );
});

/** Makes the call until it is answered, while the storage fails; then what comes must be right. */
async function insist(operation: Operation, now: Weather, stormy: Env): Promise<number> {
  const { method, path, call, right, check } = operation;
  for (let refused = 0; ; refused++) {
    // The last try is in fair weather, and must succeed.
    now.bad = refused < 5;
    const { reply: answer, settled } = await callEdge(method, path, { ...call, env: stormy });
    // What goes on until the reply is delivered ends only once it has been read.
    const reply = new Response(answer.body === null ? null : await answer.arrayBuffer(), answer);
    const bad = now.bad;
    await settled().catch(() => {});
    now.bad = false;
    if (reply.status === 503 && refused < 6) {
      const { code, detail } = await problem(reply);
      expect(code).toBe('storage_unavailable');
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      // Only a deletion that broke off outlasts the bad weather, until it is taken up again.
      if (!bad) {
        expect(detail).toMatch(/just being deleted/);
        await env.DB.prepare('UPDATE files SET deleting_at = 1 WHERE deleting_at IS NOT NULL').run();
      }
      continue;
    }
    expect(right, `${method} ${path}: ${reply.status} ${reply.ok ? '' : await reply.clone().text()}`).toContain(
      reply.status,
    );
    await check?.(reply);
    return refused;
  }
}

const isLabelMap = async (reply: Response) => {
  if (reply.status === 200) expect(new Uint8Array(await reply.arrayBuffer())).toEqual(LABEL_MAP);
};
/** A few calls that belong together; all but the first may depend on what is there now. */
async function plan(choose: Choose, now: Weather, stormy: Env, i: number): Promise<Operation[]> {
  const file = FILES[choose(FILES.length)] ?? new Uint8Array();
  const name = `adapter-${choose(3)}`;
  const { key } = world;
  switch (choose(8)) {
    case 0:
    case 1: {
      const headers = choose(2) === 0 ? { 'repr-digest': reprDigest(file) } : {};
      return [
        {
          method: 'POST',
          path: `/v1/adapters/${name}/versions`,
          call: { key, body: file, headers },
          right: [200, 201],
        },
      ];
    }
    case 2:
      return [{ method: 'GET', path: `/v1/adapters/${name}`, call: { key }, right: [200, 404] }];
    case 3: {
      const alias = { tenant: 'acme', adapter: name };
      const { results } = await env.DB.prepare('SELECT version FROM versions WHERE tenant = ? AND adapter = ?')
        .bind(alias.tenant, alias.adapter)
        .all<{ version: number }>();
      const version = results[choose(results.length || 1)]?.version;
      if (version === undefined) return [];
      if (choose(4) === 0) {
        await env.DB.prepare(
          "INSERT INTO aliases VALUES ('acme', ?, 'stable', ?) ON CONFLICT DO UPDATE SET version = ?",
        )
          .bind(name, version, version)
          .run();
        return [
          {
            method: 'GET',
            path: `/v1/adapters/${name}%40stable`,
            call: { key },
            right: [200],
            check: showing(version),
          },
        ];
      }
      return [
        { method: 'DELETE', path: `/v1/adapters/${name}/versions/${version}`, call: { key }, right: [204, 404, 409] },
      ];
    }
    case 4: {
      const call = { key, body: new Uint8Array(400) };
      return [
        { method: 'POST', path: `/v1/segmentations?adapter=${name}`, call, right: [200, 404, 409], check: isLabelMap },
      ];
    }
    case 5:
      return [
        { method: 'POST', path: '/v1/tenants', call: { key: ADMIN, json: { id: `tenant-${i}` } }, right: [201, 409] },
        {
          method: 'POST',
          path: `/v1/tenants/tenant-${i}/keys`,
          call: { key: ADMIN, json: { name: 'k', scopes: ['segment'] } },
          right: [201],
        },
        {
          method: 'POST',
          path: `/v1/adapters/tenant-${i}%2F${name}/versions`,
          call: { key: ADMIN, body: file },
          right: [200, 201],
        },
        { method: 'DELETE', path: `/v1/tenants/tenant-${i}`, call: { key: ADMIN }, right: [204, 404] },
      ];
    default:
      return inParts(file, name, now, stormy);
  }
}

/** An upload in parts that becomes a version, or is deleted; each call is made until it is answered. */
async function inParts(file: Uint8Array, name: string, now: Weather, stormy: Env): Promise<Operation[]> {
  const { key } = world;
  let begun = { id: '', parts: [{ url: '' }], complete: '' };
  const check = async (reply: Response) => {
    begun = await reply.json<typeof begun>();
  };
  const json = { size: file.byteLength, sha256: sha256(file) };
  await insist({ method: 'POST', path: '/v1/uploads', call: { key, json }, right: [201], check }, now, stormy);
  return [
    { method: 'PUT', path: (begun.parts[0]?.url ?? '').replace(ORIGIN, ''), call: { body: file }, right: [204] },
    { method: 'POST', path: begun.complete.replace(ORIGIN, ''), call: {}, right: [200] },
    {
      method: 'POST',
      path: `/v1/adapters/${name}/versions`,
      call: { key, json: { upload: begun.id } },
      right: [200, 201],
    },
    { method: 'DELETE', path: `/v1/uploads/${begun.id}`, call: { key }, right: [204, 404] },
  ];
}

function showing(version: number): (reply: Response) => Promise<void> {
  return async (reply) => expect((await reply.json<{ version: number }>()).version).toBe(version);
}

const rows = async (sql: string) => (await env.DB.prepare(sql).all()).results;
/** In fair weather, with all that housekeeping may clear cleared. */
async function expectNothingWrong(): Promise<void> {
  const later = { ...portsOf(env, createExecutionContext()), now: () => Date.now() + 3 * DAY_MS };
  await keepHouse(later);
  for (const file of FILES) {
    const versions = await rows(`SELECT 1 FROM versions WHERE digest = '${sha256(file)}'`);
    const blob = await (await env.BLOBS.get(`blobs/${hex(sha256(file))}`))?.bytes();
    expect(blob).toEqual(versions.length > 0 ? file : undefined);
  }
  expect(await rows('SELECT digest FROM files WHERE deleting_at IS NOT NULL OR unused_since IS NOT NULL')).toEqual([]);
  for (const table of ['file_holds', 'uploads', 'upload_parts', 'upload_remains', 'sweeps']) {
    expect(await rows(`SELECT * FROM ${table}`), table).toEqual([]);
  }
  const files = (await rows('SELECT digest FROM files')).map(({ digest }) => `blobs/${hex(String(digest))}`);
  const { objects } = await env.BLOBS.list();
  expect(objects.map(({ key }) => key).toSorted()).toEqual(files.toSorted());
  const taken =
    'SELECT adapter, max(version) AS last, next_version FROM versions v JOIN adapters a ON a.tenant = v.tenant AND a.name = v.adapter GROUP BY v.tenant, v.adapter';
  for (const { last, next_version: next } of await rows(taken)) expect(Number(last)).toBeLessThan(Number(next));
  expect(await rows("SELECT id FROM tenants WHERE id LIKE 'tenant-%'")).toEqual([]);
  for (const [i, file] of FILES.entries()) expect((await push(world.key, `again-${i}`, file)).status).toBe(201);
}

const away = (storages: ('DB' | 'BLOBS')[]): Env => {
  const now = weather(1, 1);
  now.bad = true;
  const faulty = faultyStorage(env, now);
  return {
    ...env,
    ...(storages.includes('DB') ? { DB: faulty.DB } : {}),
    ...(storages.includes('BLOBS') ? { BLOBS: faulty.BLOBS } : {}),
  };
};
describe('a storage that does not answer at all', () => {
  test.each([
    ['D1', 'GET', '/v1/adapters', ['DB']],
    ['D1', 'POST', '/v1/adapters/tumour/versions', ['DB']],
    ['R2', 'POST', '/v1/adapters/tumour/versions', ['BLOBS']],
    ['R2', 'GET', '/v1/adapters/there/file', ['BLOBS']],
  ] as const)('%s: %s %s is a 503 to try again', async (_, method, path, storages) => {
    await push(world.key, 'there', adapterFile('there'));
    const body = method === 'POST' ? { body: adapterFile() } : {};
    const reply = await edge(method, path, { key: world.key, ...body, env: away([...storages]) });
    expect(reply.headers.get('retry-after')).toBe('2');
    expect(await problem(reply)).toMatchObject({ status: 503, code: 'storage_unavailable' });
  });

  test('a read is made again before the caller is told', async () => {
    let asked = 0;
    const DB = new Proxy(env.DB, {
      get: (target, name) => {
        if (name !== 'withSession') return Reflect.get(target, name);
        return () => {
          asked += 1;
          if (asked < 3) throw new Error('D1_ERROR: Network connection lost.');
          return target.withSession('first-primary');
        };
      },
    });
    expect((await edge('GET', '/v1/adapters', { key: world.key, env: { ...env, DB } })).status).toBe(200);
    expect(asked).toBe(3);
  });

  test('what the database refuses is no outage', async () => {
    await env.DB.prepare(
      'CREATE TRIGGER full BEFORE INSERT ON keys BEGIN SELECT RAISE(ABORT, $$); END'.replace('$$', "'no'"),
    ).run();
    const reply = await edge('POST', '/v1/tenants/acme/keys', { key: ADMIN, json: { name: 'x', scopes: ['segment'] } });
    expect(await problem(reply)).toMatchObject({ status: 500, code: 'internal' });
  });
});
