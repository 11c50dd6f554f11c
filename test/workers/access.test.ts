import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { SCOPES, type Scope } from '../../schemas/api.ts';
import { app } from '../../workers/edge/index.ts';
import { portsOf } from '../../workers/edge/ports.ts';
import { authenticate } from '../../workers/edge/services/keys/authenticate.ts';
import { ADMIN, deliver, edge, makeKey, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_FILE, push, sha256 } from './support/files.ts';
import { submitted } from './support/jobs.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

interface Operation {
  readonly method: string;
  readonly path: string;
  /** The scopes of which it needs one, `admin` among them; none where everyone may. */
  readonly scopes: readonly string[];
}

/** Every operation of the document, so that a route which is added later is tested here too. */
async function operations(): Promise<Operation[]> {
  const document = await (await edge('GET', '/openapi.json')).json<{
    paths: Record<string, Record<string, { security?: { key?: string[] }[] }>>;
  }>();
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => {
      if (security === undefined) throw new Error(`${method} ${path} does not say who may call it`);
      return { method: method.toUpperCase(), path, scopes: security.flatMap(({ key }) => key ?? []) };
    }),
  );
}

/** The operation on things of the tenant `acme`, with a body that is right for it. */
function call({ method, path }: Operation, key: string | undefined) {
  const name = path.includes('/versions') && method === 'POST' ? 'acme%2Fnew' : 'acme%2Ftumour';
  const filled = path
    .replace('/grants/{tenant}', '/grants/umbrella')
    .replace('{tenant}', 'acme')
    .replace('{alias}', 'stable')
    .replace('{id}', path.startsWith('/v1/segmentations') ? job : path.startsWith('/v1/uploads') ? upload : 'nothing')
    .replace('{part}', '1')
    .replace('{name}', name)
    .replace('{ref}', 'acme%2Ftumour')
    .replace('{version}', '1');
  const bodies: Record<string, { json?: unknown; body?: Uint8Array }> = {
    'POST /v1/tenants': { json: { id: 'third' } },
    'POST /v1/tenants/{tenant}/keys': { json: { name: 'x', scopes: ['segment'] } },
    'POST /v1/tenants/{tenant}/keys/{id}/rotate': { json: {} },
    'POST /v1/tenants/{tenant}/links': { json: { name: 'x' } },
    'PUT /v1/adapters/{name}/aliases/{alias}': { json: { version: 1, expected: null } },
    'PUT /v1/tenants/{tenant}/quota': { json: { stored_bytes: 1 } },
    'POST /v1/bases': { body: BASE_FILE },
    'POST /v1/adapters/{name}/versions': { body: adapterFile('new') },
    'POST /v1/uploads': { json: { size: 1, sha256: '0'.repeat(64) } },
    'PUT /v1/uploads/{id}/parts/{part}': { body: new Uint8Array(9) },
    'POST /v1/segmentations': { body: new Uint8Array(400) },
  };
  const query = path === '/v1/segmentations' && method === 'POST' ? '?adapter=acme/tumour' : '';
  return edge(method, filled + query, { key, ...bodies[`${method} ${path}`] });
}

/** Of the tenant `acme`: a job that is done, and an upload that is not. */
let job = '';
let upload = '';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  job = await submitted(world.key);
  await deliver();
  const json = { size: 9, sha256: sha256(new Uint8Array(9)) };
  ({ id: upload } = await (await edge('POST', '/v1/uploads', { key: world.key, json })).json<{ id: string }>());
  world.runner.calls.length = 0;
});

async function changed(): Promise<unknown> {
  const { results } = await env.DB.prepare(
    `SELECT (SELECT count(*) FROM tenants) tenants, (SELECT count(*) FROM keys) keys,
      (SELECT count(*) FROM links) links,
      (SELECT count(*) FROM quotas) quotas, (SELECT count(*) FROM jobs) jobs,
      (SELECT count(*) FROM upload_parts) parts, (SELECT count(*) FROM uploads WHERE tenant = 'acme') uploads`,
  ).all();
  return { results, stored: await stored(), runner: world.runner.calls.length };
}

test('the document has every route of the API', async () => {
  const all = (await operations()).map(({ method, path, scopes }) => `${method} ${path} ${scopes.join('|')}`);
  expect(all.toSorted()).toEqual(
    [
      'GET /healthz ',
      'GET /openapi.json ',
      'POST /v1/tenants admin',
      'GET /v1/tenants admin',
      'DELETE /v1/tenants/{tenant} admin',
      'POST /v1/tenants/{tenant}/keys tenant:admin',
      'GET /v1/tenants/{tenant}/keys tenant:admin',
      'DELETE /v1/tenants/{tenant}/keys/{id} tenant:admin',
      'POST /v1/tenants/{tenant}/keys/{id}/rotate tenant:admin',
      'POST /v1/tenants/{tenant}/links tenant:admin',
      'GET /v1/tenants/{tenant}/links tenant:admin',
      'DELETE /v1/tenants/{tenant}/links/{id} tenant:admin',
      'GET /v1/audit tenant:admin',
      'GET /v1/tenants/{tenant}/quota tenant:admin',
      'PUT /v1/tenants/{tenant}/quota admin',
      'GET /v1/bases adapters:read',
      'POST /v1/bases admin',
      'POST /v1/adapters/{name}/versions adapters:write',
      'GET /v1/adapters adapters:read',
      'GET /v1/adapters/{ref} adapters:read',
      'GET /v1/adapters/{ref}/file adapters:read',
      'DELETE /v1/adapters/{name}/versions/{version} adapters:write',
      'DELETE /v1/adapters/{name} adapters:write',
      'PUT /v1/adapters/{name}/aliases/{alias} adapters:write',
      'DELETE /v1/adapters/{name}/aliases/{alias} adapters:write',
      'PUT /v1/adapters/{name}/grants/{tenant} adapters:write',
      'DELETE /v1/adapters/{name}/grants/{tenant} adapters:write',
      'GET /v1/adapters/{name}/grants adapters:read',
      'POST /v1/segmentations segment',
      'GET /v1/segmentations segment',
      'GET /v1/segmentations/{id} segment',
      'DELETE /v1/segmentations/{id} segment',
      'GET /v1/segmentations/{id}/report segment',
      'GET /v1/segmentations/{id}/result segment',
      'GET /v1/segmentations/{id}/events segment',
      'GET /v1/models adapters:read',
      'POST /v1/uploads segment|adapters:write',
      'GET /v1/uploads/{id} segment|adapters:write',
      'DELETE /v1/uploads/{id} segment|adapters:write',
      'PUT /v1/uploads/{id}/parts/{part} segment|adapters:write',
      'POST /v1/uploads/{id}/complete segment|adapters:write',
    ].toSorted(),
  );
});

/** For runners, which show their own token, and for whoever reads the documentation. */
const NOT_IN_THE_DOCUMENT = [
  'GET /internal/blobs/{hex}',
  'GET /console',
  'GET /console/*',
  'GET /docs',
  'GET /docs/start.js',
  'GET /docs/swagger-ui.css',
  'GET /docs/swagger-ui-bundle.js',
  'GET /docs/favicon-32x32.png',
];

test('the Worker has no route beside those of the document and the few that are named here', async () => {
  const described = (await operations()).map(({ method, path }) => `${method} ${path}`);
  const registered = app.routes
    // MONAI Label's are in a document of their own, and in monai-label-access.test.ts.
    .filter(({ method, path }) => method !== 'ALL' && !path.startsWith('/monailabel/'))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z]+)/g, '{$1}')}`);
  expect([...new Set(registered)].toSorted()).toEqual([...described, ...NOT_IN_THE_DOCUMENT].toSorted());
});

/** Checks what is closed to the public, and that none of it changed anything. */
async function onEach(check: (operation: Operation) => Promise<void>): Promise<void> {
  const closed = (await operations()).filter((operation) => operation.scopes.length > 0);
  expect(closed.length).toBeGreaterThan(10);
  const before = await changed();
  for (const operation of closed) await check(operation);
  expect(await changed()).toEqual(before);
}

describe('on every route of the document that is not public', () => {
  test('no key, a revoked and an expired one are unauthorized, alike', async () => {
    const revoked = await makeKey('acme');
    await edge('DELETE', `/v1/tenants/acme/keys/${revoked.id}`, { key: ADMIN });
    const expired = await makeKey('acme', [...SCOPES], new Date(Date.now() + 3_600_000).toISOString());
    await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(expired.id).run();
    await onEach(async (operation) => {
      const told = new Set<string>();
      for (const key of [undefined, revoked.key, expired.key]) {
        const reply = await call(operation, key);
        const { status, code, detail } = await problem(reply);
        expect({ ...operation, status, code }).toEqual({ ...operation, status: 401, code: 'unauthorized' });
        told.add(detail);
      }
      expect(told.size).toBe(1);
    });
  });

  test('a key with every scope but the one needed is forbidden', async () => {
    const keys = new Map<string, string>();
    for (const { scopes } of await operations()) {
      const others = SCOPES.filter((scope): scope is Scope => !scopes.includes(scope));
      keys.set(scopes.join(), (await makeKey('acme', others)).key);
    }
    await onEach(async (operation) => {
      const reply = await call(operation, keys.get(operation.scopes.join()));
      expect({ ...operation, status: reply.status }).toEqual({ ...operation, status: 403 });
      expect((await problem(reply)).code).toBe('forbidden');
    });
  });

  test("another tenant's key with all scopes reads, changes and learns nothing", async () => {
    await onEach(async (operation) => {
      const reply = await call(operation, world.other);
      const body = await reply.text();
      expect(body).not.toContain(sha256(adapterFile()));
      if (operation.path === '/v1/audit') {
        const { data }: { data: { tenant: string }[] } = JSON.parse(body);
        expect(new Set(data.map((line) => line.tenant))).toEqual(new Set(['umbrella']));
      } else if (operation.scopes.includes('admin')) expect(reply.status).toBe(403);
      // An upload of its own.
      else if (reply.status === 201) expect(`${operation.method} ${operation.path}`).toBe('POST /v1/uploads');
      else if (reply.status === 200) expect(body).not.toMatch(/tumour|acme/);
      else expect({ ...operation, status: reply.status }).toEqual({ ...operation, status: 404 });
    });
    expect((await call({ method: 'GET', path: '/v1/adapters/{ref}', scopes: [] }, world.key)).status).toBe(200);
  });
});

test("another tenant's adapter and one that is not there are answered word for word alike", async () => {
  const others = encodeURIComponent(sha256(adapterFile()));
  const absent = encodeURIComponent(sha256(new Uint8Array(1)));
  const pairs: [string, string, string][] = [
    ['GET', '/v1/adapters/acme%2Ftumour', '/v1/adapters/acme%2Fnothing'],
    ['GET', '/v1/adapters/acme%2Ftumour', '/v1/adapters/nobody%2Fnothing'],
    ['GET', '/v1/adapters/acme%2Ftumour%401', '/v1/adapters/acme%2Fnothing%401'],
    ['GET', '/v1/adapters/acme%2Ftumour%401/file', '/v1/adapters/acme%2Fnothing%401/file'],
    ['GET', `/v1/adapters/${others}`, `/v1/adapters/${absent}`],
    ['DELETE', '/v1/adapters/acme%2Ftumour', '/v1/adapters/acme%2Fnothing'],
    ['DELETE', '/v1/adapters/acme%2Ftumour/versions/1', '/v1/adapters/acme%2Fnothing/versions/1'],
    ['DELETE', '/v1/adapters/acme%2Ftumour/aliases/stable', '/v1/adapters/acme%2Fnothing/aliases/stable'],
    ['GET', '/v1/adapters/acme%2Ftumour/grants', '/v1/adapters/acme%2Fnothing/grants'],
    ['PUT', '/v1/adapters/acme%2Ftumour/grants/umbrella', '/v1/adapters/acme%2Fnothing/grants/umbrella'],
    ['GET', '/v1/audit?tenant=acme', '/v1/audit?tenant=nobody'],
    ['GET', `/v1/uploads/${upload}`, '/v1/uploads/nothing'],
    ['DELETE', `/v1/uploads/${upload}`, '/v1/uploads/nothing'],
    ['PUT', `/v1/uploads/${upload}/parts/1`, '/v1/uploads/nothing/parts/1'],
    ['POST', `/v1/uploads/${upload}/complete`, '/v1/uploads/nothing/complete'],
    ['POST', '/v1/segmentations?adapter=acme/tumour', '/v1/segmentations?adapter=acme/nothing'],
    ['POST', '/v1/segmentations?adapter=tumour', '/v1/segmentations?adapter=nothing'],
    ['POST', `/v1/segmentations?adapter=${others}`, `/v1/segmentations?adapter=${absent}`],
  ];
  for (const [method, theirs, nobodys] of pairs) {
    const body = ['POST', 'PUT'].includes(method) ? { body: new Uint8Array(9) } : {};
    const [a, b] = await Promise.all(
      [theirs, nobodys].map((path) => edge(method, path, { key: world.other, ...body })),
    );
    if (a === undefined || b === undefined) throw new Error('no replies');
    const told = await problem(a);
    expect(told).toMatchObject({ status: 404, code: 'not_found' });
    expect(told).toEqual({ ...(await problem(b)), request_id: expect.any(String) });
  }
  expect(world.runner.calls).toEqual([]);
});

test('two tenants with an adapter of one name each get their own', async () => {
  const theirs = adapterFile('of umbrella');
  await push(world.other, 'tumour', theirs);
  for (const [key, file, tenant] of [
    [world.key, adapterFile(), 'acme'],
    [world.other, theirs, 'umbrella'],
  ] as const) {
    const reply = await edge('POST', '/v1/segmentations?adapter=tumour', { key, body: new Uint8Array(400) });
    expect(reply.headers.get('x-adapter-id')).toBe(`${tenant}/tumour`);
    expect(reply.headers.get('x-adapter-digest')).toBe(sha256(file));
    const bytes = await (await edge('GET', '/v1/adapters/tumour/file', { key })).arrayBuffer();
    expect(new Uint8Array(bytes)).toEqual(file);
  }
});

test('what both tenants uploaded is referred to by digest as one own', async () => {
  await push(world.other, 'mine', adapterFile());
  const path = `/v1/segmentations?adapter=${sha256(adapterFile())}`;
  const reply = await edge('POST', path, { key: world.other, body: new Uint8Array(9) });
  expect(reply.headers.get('x-adapter-id')).toBe('umbrella/mine');
});

test.each(['umbrella', '*'])('an adapter granted to %s is seen and used, until the grant is gone', async (grantee) => {
  await env.DB.prepare("INSERT INTO grants VALUES ('acme', 'tumour', ?)").bind(grantee).run();
  const see = () => edge('GET', '/v1/adapters/acme%2Ftumour', { key: world.other });
  const use = () =>
    edge('POST', '/v1/segmentations?adapter=acme/tumour', { key: world.other, body: new Uint8Array(9) });
  const list = async () => (await edge('GET', '/v1/adapters', { key: world.other })).text();
  expect([(await see()).status, (await use()).status]).toEqual([200, 200]);
  expect(await list()).toContain('acme/tumour');
  expect(await (await edge('GET', '/v1/models', { key: world.other })).text()).toContain('acme/tumour');
  expect((await edge('DELETE', '/v1/adapters/acme%2Ftumour', { key: world.other })).status).toBe(404);
  await env.DB.prepare('DELETE FROM grants').run();
  expect([(await see()).status, (await use()).status]).toEqual([404, 404]);
  expect(await list()).not.toContain('acme/tumour');
});

test('a key whose row is gone is refused with the next request', async () => {
  const read = { method: 'GET', path: '/v1/adapters', scopes: [] };
  expect((await call(read, world.key)).status).toBe(200);
  await env.DB.prepare("DELETE FROM keys WHERE tenant = 'acme'").run();
  expect((await call(read, world.key)).status).toBe(401);
});

test("who calls is asked of the database's primary every time, and of nothing else", async () => {
  const asked: (string | undefined)[] = [];
  const DB = new Proxy(env.DB, {
    get(database, name) {
      if (name !== 'withSession') throw new Error(`${String(name)} of the database outside a session`);
      return (constraint?: string) => {
        asked.push(constraint);
        return database.withSession(constraint);
      };
    },
  });
  for (let time = 0; time < 2; time++) {
    const ports = portsOf({ ...env, DB }, { waitUntil: () => {} });
    expect(await authenticate(ports, `Bearer ${world.key}`)).toMatchObject({ tenant: 'acme' });
  }
  expect(asked).toEqual(['first-primary', 'first-primary']);
});
