import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { ADMIN, edge, problem } from './support/edge.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

describe('health', () => {
  test('a ready runner is ok', async () => {
    const reply = await edge('GET', '/healthz');
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ status: 'ok', runners: { ready: 1, total: 1 } });
  });

  test.each([
    ['not ready', { ready: false }],
    ['not there', { down: true }],
  ])('a runner that is %s is degraded', async (_, state) => {
    Object.assign(world.runner, state);
    const reply = await edge('GET', '/healthz');
    expect(reply.status).toBe(503);
    expect(await reply.json()).toEqual({ status: 'degraded', runners: { ready: 0, total: 1 } });
  });

  test('without a base there is nothing to serve', async () => {
    await env.DB.prepare('DELETE FROM bases').run();
    const reply = await edge('GET', '/healthz');
    expect(reply.status).toBe(503);
    expect(await reply.json()).toEqual({ status: 'degraded', runners: { ready: 1, total: 1 } });
  });
});

describe('every reply is told apart and every error is a problem document', () => {
  test.each([
    ['GET', '/nothing'],
    ['GET', '/v1'],
    ['POST', '/v1/adapters/a/b/c/d'],
    ['GET', '/v1/adapters/'],
    ['GET', '/swagger-ui-bundle.js'],
    ['GET', '/docs/index.html'],
  ])('%s %s is no path', async (method, path) => {
    expect(await problem(await edge(method, path, { key: ADMIN }))).toMatchObject({ status: 404, code: 'not_found' });
  });

  test.each([
    ['PATCH', '/v1/tenants', 'GET, POST'],
    ['DELETE', '/v1/segmentations', 'GET, POST'],
    ['POST', '/v1/adapters/tumour', 'DELETE, GET'],
    ['PUT', '/healthz', 'GET'],
    ['POST', '/openapi.json', 'GET'],
  ])('%s %s is no method of it', async (method, path, allow) => {
    const reply = await edge(method, path, { key: ADMIN });
    expect(await problem(reply)).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(reply.headers.get('allow')).toBe(allow);
  });

  test('no two requests have one id', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await edge('GET', '/healthz')).headers.get('x-request-id')),
    );
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain(null);
  });

  test.each(['{', '', '{"id":"a"}}', '\u0000'])('%j is no JSON', async (body) => {
    const headers = { 'content-type': 'application/json' };
    const reply = await edge('POST', '/v1/tenants', { key: ADMIN, body, headers });
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test('JSON under another name is refused, not ignored', async () => {
    const headers = { 'content-type': 'text/plain' };
    const reply = await edge('POST', '/v1/tenants', { key: ADMIN, body: '{"id":"a"}', headers });
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test('JSON of unknown or great length is not read', async () => {
    const headers = { 'content-type': 'application/json' };
    const unknown = await edge('POST', '/v1/tenants', { key: ADMIN, body: new Blob(['{"id":"a"}']).stream(), headers });
    expect(await problem(unknown)).toMatchObject({ status: 411, code: 'length_required' });
    const great = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id: 'a', more: 'x'.repeat(70_000) } });
    expect(await problem(great)).toMatchObject({ status: 413, code: 'too_large' });
  });

  test('an error of ours tells nothing of itself', async () => {
    await env.DB.prepare('ALTER TABLE tenants RENAME TO elsewhere').run();
    const reply = await edge('GET', '/v1/tenants', { key: ADMIN });
    const body = await problem(reply);
    expect(body).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify(body)).not.toMatch(/tenants|SQL|table/i);
  });
});

describe('CORS', () => {
  test.each(['https://viewer.example', 'http://localhost:5173'])('%s may call and read the headers', async (origin) => {
    const preflight = await edge('OPTIONS', '/v1/segmentations', {
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization');
    for (const reply of [
      await edge('GET', '/v1/adapters', { key: world.key, headers: { origin } }),
      await edge('GET', '/v1/adapters', { headers: { origin } }),
      await edge('GET', '/nothing', { headers: { origin } }),
    ]) {
      expect(reply.headers.get('access-control-allow-origin')).toBe(origin);
      const exposed = reply.headers
        .get('access-control-expose-headers')
        ?.toLowerCase()
        .split(',')
        .map((name) => name.trim());
      for (const name of [
        'x-request-id',
        'x-adapter-id',
        'x-adapter-version',
        'x-adapter-digest',
        'x-base-digest',
        'x-adapter-cache',
      ]) {
        expect(exposed).toContain(name);
      }
    }
  });

  test.each(['https://evil.example', 'null', 'https://viewer.example.evil.example'])('%s may not', async (origin) => {
    const reply = await edge('GET', '/v1/adapters', { key: world.key, headers: { origin } });
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the document', () => {
  interface Operation {
    security: unknown[];
    summary: string;
    responses: Record<string, { description: string; content?: Record<string, unknown> }>;
  }

  test('describes who may call what, and each error that a call can have', async () => {
    const reply = await edge('GET', '/openapi.json');
    expect(reply.headers.get('content-type')).toContain('application/json');
    const document = await reply.json<{
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
      components: { securitySchemes: object };
    }>();
    expect(document.openapi).toBe('3.1.0');
    expect(document.components.securitySchemes).toMatchObject({ key: { type: 'http', scheme: 'bearer' } });
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const where = `${method} ${path}`;
        expect(operation.summary, where).not.toBe('');
        const isPublic = ['/healthz', '/openapi.json'].includes(path);
        expect(operation.security.length > 0, where).toBe(!isPublic);
        if (!isPublic) expect(operation.security[0], where).toEqual({ key: [expect.any(String)] });
        if (!isPublic)
          expect(Object.keys(operation.responses), where).toEqual(
            expect.arrayContaining(['400', '401', '403', '500', '503']),
          );
        for (const [status, response] of Object.entries(operation.responses)) {
          if (Number(status) < 400 || (path === '/healthz' && status === '503')) continue;
          expect(response.description, where).toMatch(/`[a-z_]+`/);
          expect(Object.keys(response.content ?? {}), where).toEqual(['application/problem+json']);
        }
      }
    }
  });

  test('is shown by a page that loads nothing from elsewhere', async () => {
    const page = await edge('GET', '/docs');
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources) {
      expect(source).toMatch(/^\/docs\//);
      const file = await edge('GET', source);
      expect([source, file.status]).toEqual([source, 200]);
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
    expect((await (await edge('GET', '/docs/swagger-ui-bundle.js')).text()).length).toBeGreaterThan(100_000);
  });
});
