import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { SCOPES } from '../../schemas/api.ts';
import { app } from '../../workers/edge/index.ts';
import { ADMIN, edge, makeKey } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { detailOf, makeLink, send } from './support/monai-label.ts';
import { everyObject } from './support/tables.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

interface Operation {
  readonly method: string;
  readonly path: string;
}

const PUBLIC = ['GET /monailabel/auth/', 'POST /monailabel/auth/token', 'GET /monailabel/openapi.json'];
const LINK = '/monailabel/t/{token}';

/** Every operation of the document of these routes, so that a route which is added later is tested here too. */
async function operations(): Promise<(Operation & { readonly closed: boolean })[]> {
  const document = await (await edge('GET', '/monailabel/openapi.json')).json<{
    paths: Record<string, Record<string, { security?: { key?: string[] }[] }>>;
  }>();
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => {
      if (security === undefined) throw new Error(`${method} ${path} does not say who may call it`);
      const byKey = security.flatMap(({ key }) => key ?? []);
      if (byKey.length > 0) expect({ path, byKey }).toEqual({ path, byKey: ['segment'] });
      return { method: method.toUpperCase(), path, closed: byKey.length > 0 || path.startsWith(LINK) };
    }),
  );
}

let session = '';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  const files = { files: { filename: 'a.nii.gz', bytes: new Uint8Array(9) } };
  const kept = await send('PUT', '/monailabel/session/', { files }, { key: world.key });
  ({ session_id: session } = await kept.json<{ session_id: string }>());
  await send('PUT', '/monailabel/datastore/?image=head', { files: { file: files.files } }, { key: world.key });
  world.runner.calls.length = 0;
});

/** The operation on things of the tenant `acme`, through a door, with a form that is right for it. */
function call({ method, path }: Operation, door: string, key?: string): Promise<Response> {
  const filled = path
    .replace(LINK, door)
    .replace('{id}', session)
    .replace('{model}', 'acme%2Ftumour')
    .replace('{tenant}', 'acme')
    .replace('{name}', 'tumour');
  const query = path.includes('/infer/') ? `?image=head&session_id=${session}` : '?image=head&id=head';
  const shown = key === undefined ? {} : { key };
  if (method === 'GET' || method === 'DELETE') return edge(method, filled + query, shown);
  const name = path.includes('/session/') ? 'files' : 'file';
  const form = { fields: { params: '{}' }, files: { [name]: { filename: 'b.nii.gz', bytes: new Uint8Array(9) } } };
  return send(method, filled + query, form, shown);
}

const state = async () => ({
  objects: await everyObject(),
  images: (await env.DB.prepare('SELECT * FROM images ORDER BY id').all()).results,
  runner: world.runner.calls.length,
});

test('the document has every route there is, and the public ones are those named here', async () => {
  const all = await operations();
  const registered = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/monailabel/'))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z]+)/g, '{$1}')}`);
  const described = [...all.map(({ method, path }) => `${method} ${path}`), 'GET /monailabel/openapi.json'];
  expect([...new Set(registered)].toSorted()).toEqual(described.toSorted());
  const open = all.filter(({ closed }) => !closed).map(({ method, path }) => `${method} ${path}`);
  expect([...open, 'GET /monailabel/openapi.json'].toSorted()).toEqual(PUBLIC.toSorted());
});

test('what stands behind a key stands behind a link too, but for the login', async () => {
  const paths = (await operations()).map(({ method, path }) => `${method} ${path}`);
  const byKey = paths.filter((path) => !path.includes(LINK) && !path.includes('/auth/'));
  const byLink = paths.filter((path) => path.includes(LINK)).map((path) => path.replace(LINK, '/monailabel'));
  expect(byLink.toSorted()).toEqual(byKey.toSorted());
});

/** What the tenant `acme` left. */
const imagesOfAcme = () => env.DB.prepare("SELECT * FROM images WHERE tenant = 'acme' ORDER BY id").all();

async function onEach(check: (operation: Operation) => Promise<void>): Promise<void> {
  const closed = (await operations()).filter((operation) => operation.closed);
  expect(closed.length).toBeGreaterThan(15);
  const before = await state();
  for (const operation of closed) await check(operation);
  expect(await state()).toEqual(before);
}

describe('on every route that is not public', () => {
  test('no key, a revoked and an expired one, and links like them, are unauthorized, alike', async () => {
    const revoked = await makeKey('acme');
    await edge('DELETE', `/v1/tenants/acme/keys/${revoked.id}`, { key: ADMIN });
    const expired = await makeKey('acme', [...SCOPES], new Date(Date.now() + 3_600_000).toISOString());
    await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(expired.id).run();
    const gone = await makeLink(ADMIN);
    expect((await edge('DELETE', `/v1/tenants/acme/links/${gone.id}`, { key: ADMIN })).status).toBe(204);
    const over = await makeLink(ADMIN);
    await env.DB.prepare('UPDATE links SET expires_at = 1 WHERE id = ?').bind(over.id).run();
    // A key in the place of a link, and none at all.
    const doors = [gone.door, over.door, `/monailabel/t/${world.key}`, '/monailabel/t/x'];
    await onEach(async (operation) => {
      const told = new Set<string>();
      const tries = operation.path.startsWith(LINK)
        ? doors.map((door) => ({ door, key: world.key }))
        : [undefined, revoked.key, expired.key].map((key) => ({ door: '', key }));
      for (const { door, key } of tries) {
        const reply = await call(operation, door, key);
        expect(reply.headers.get('www-authenticate')).toBe('Bearer');
        const { status, detail } = await detailOf(reply);
        expect({ ...operation, status }).toEqual({ ...operation, status: 401 });
        told.add(detail);
      }
      expect(told.size).toBe(1);
    });
  });

  test('a key with every scope but segment is forbidden', async () => {
    const { key } = await makeKey('acme', ['adapters:read', 'adapters:write', 'tenant:admin']);
    await onEach(async (operation) => {
      if (operation.path.startsWith(LINK)) return;
      expect({ ...operation, ...(await detailOf(await call(operation, '', key))) }).toMatchObject({ status: 403 });
    });
  });

  test("another tenant's key and link read, change and learn nothing", async () => {
    const json = { name: 'theirs' };
    const made = await edge('POST', '/v1/tenants/umbrella/links', { key: world.other, json });
    const door = new URL((await made.json<{ url: string }>()).url).pathname.replace(/\/$/, '');
    const before = (await imagesOfAcme()).results;
    for (const operation of await operations()) {
      if (!operation.closed || operation.path.endsWith('/valid')) continue;
      const reply = await call(operation, door, world.other);
      const body = await reply.text();
      expect(body).not.toContain(sha256(adapterFile()));
      // Of its own: an image left, how many there are, and what models: none.
      if (reply.status === 200) expect(body).not.toMatch(/acme|tumour/);
      else expect({ ...operation, status: reply.status }).toEqual({ ...operation, status: 404 });
    }
    expect((await imagesOfAcme()).results).toEqual(before);
    expect(world.runner.calls).toEqual([]);
  });
});

describe('a link', () => {
  test('is no key of the public API, nor stored as it is', async () => {
    const { door } = await makeLink(ADMIN);
    const token = door.split('/').at(-1) ?? '';
    expect(token).toMatch(/^pdoraml_[0-9a-f]{64}$/);
    expect((await edge('GET', '/v1/models', { key: token })).status).toBe(401);
    expect((await edge('GET', '/monailabel/info/', { key: token })).status).toBe(401);
    const { results } = await env.DB.prepare('SELECT * FROM links').all();
    expect(JSON.stringify(results)).not.toContain(token.slice(8));
    expect((await edge('GET', `${door}/info/`)).headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('is made and seen by those alone who administer the tenant, and made by those who may segment', async () => {
    const json = { name: 'x' };
    const { key } = await makeKey('acme', ['tenant:admin']);
    expect((await edge('POST', '/v1/tenants/acme/links', { key, json })).status).toBe(403);
    const made = await makeLink(world.key);
    const listed = await (await edge('GET', '/v1/tenants/acme/links', { key })).json<{ data: { id: string }[] }>();
    expect(listed.data.map(({ id }) => id)).toEqual([made.id]);
    expect(JSON.stringify(listed)).not.toContain('pdoraml_');
    expect((await edge('DELETE', `/v1/tenants/umbrella/links/${made.id}`, { key: world.other })).status).toBe(404);
    expect((await edge('GET', `${made.door}/info/`)).status).toBe(200);
  });

  test('counts among the requests of its tenant', async () => {
    const { door } = await makeLink(ADMIN);
    await edge('PUT', '/v1/tenants/acme/quota', { key: ADMIN, json: { requests_per_minute: 1 } });
    const statuses = [];
    for (let n = 0; n < 2; n++) statuses.push((await edge('GET', `${door}/info/`)).status);
    expect(statuses).toEqual([200, 429]);
  });

  test('goes on under a new pepper, once it was used while the previous one was known', async () => {
    const { door } = await makeLink(ADMIN);
    const use = (vars: Record<string, string>) => edge('GET', `${door}/info/`, { vars });
    const next = { KEY_PEPPER: 'the next pepper of the tests' };
    expect((await use(next)).status).toBe(401);
    expect((await use({ ...next, KEY_PEPPER_PREVIOUS: env.KEY_PEPPER })).status).toBe(200);
    expect((await use(next)).status).toBe(200);
  });
});

const login = (username: string, password: string) =>
  edge('POST', '/monailabel/auth/token', {
    body: new URLSearchParams({ username, password, grant_type: 'password' }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });

describe('a login', () => {
  test('takes a tenant and its own key, and nothing else', async () => {
    expect((await login('acme', world.key)).status).toBe(200);
    for (const [user, password] of [
      ['acme', world.other],
      ['acme', ''],
      ['acme', ADMIN],
      ['nobody', world.key],
    ] as const) {
      expect((await detailOf(await login(user, password))).status).toBe(401);
    }
  });

  test('takes no key that may not segment', async () => {
    const { key } = await makeKey('acme', ['adapters:read']);
    expect((await detailOf(await login('acme', key))).status).toBe(403);
  });
});

test('what of MONAI Label is not served says so', async () => {
  for (const path of ['/monailabel/logs/', '/monailabel/activelearning/random', '/monailabel/t/x/scoring/']) {
    expect((await detailOf(await edge('GET', path))).status).toBe(404);
  }
});
