import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UPLOAD_PART_BYTES } from '../../schemas/limits.ts';
import { json, pdora, problem, type Seen, type TestService, testService } from './run.ts';
import { shownAdapter } from './shown-adapter.ts';

/** Where the edge thinks it is need not be where it was reached. */
const at = (step: string) => `https://edge.example/v1/uploads/u1/${step}?expires=9&signature=s`;
const CREATED = '2026-01-31T12:00:00.000Z';

let folder: string;
let service: TestService;
let answer: (seen: Seen, reply: ServerResponse) => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-cli-'));
  service = await testService((seen, reply) => answer(seen, reply));
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(...args: string[]) {
  return await pdora([...args, '--url', service.url, '--key', 'k']);
}

describe('pdora tenant and key', () => {
  it('creates a tenant', async () => {
    answer = (_, reply) => json(reply, 201, { id: 'clinic', created_at: CREATED });
    const { status, stdout } = await run('tenant', 'create', 'clinic');
    expect(status).toBe(0);
    expect(stdout).toBe('created clinic\n');
    expect(service.seen[0]).toMatchObject({ method: 'POST', url: '/v1/tenants' });
    expect(JSON.parse(String(service.seen[0]?.body))).toEqual({ id: 'clinic' });
  });

  it('lists every page', async () => {
    answer = ({ url }, reply) => {
      const second = url.includes('cursor=c1');
      const id = second ? 'b' : 'a';
      json(reply, 200, { data: [{ id, created_at: CREATED }], next_cursor: second ? null : 'c1' });
    };
    const { stdout } = await run('tenant', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ id: 'a' }, { id: 'b' }]);
  });

  it('deletes a tenant, which answers with no content', async () => {
    answer = (_, reply) => reply.writeHead(204).end();
    const { status } = await run('tenant', 'delete', 'clinic');
    expect(status).toBe(0);
    expect(service.seen[0]).toMatchObject({ method: 'DELETE', url: '/v1/tenants/clinic' });
  });

  const standing = {
    limits: { stored_bytes: 1000, waiting_jobs: 5, segmentations_at_once: 2, requests_per_minute: 60 },
    usage: { stored_bytes: 17, waiting_jobs: 3 },
  };

  it("shows a tenant's limits and what it uses of them", async () => {
    answer = (_, reply) => json(reply, 200, standing);
    const { status, stdout } = await run('tenant', 'quota', 'clinic');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^stored bytes +17 +1000$/m);
    expect(stdout).toMatch(/^requests a minute +60$/m);
    expect(service.seen).toMatchObject([{ method: 'GET', url: '/v1/tenants/clinic/quota' }]);
  });

  it('sets the limits that are given and no other', async () => {
    answer = (_, reply) => json(reply, 200, standing);
    const { status, stdout } = await run(
      'tenant',
      'quota',
      'clinic',
      '--at-once',
      '0',
      '--stored-bytes',
      'default',
      '--json',
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(standing);
    expect(service.seen).toMatchObject([{ method: 'PUT', url: '/v1/tenants/clinic/quota' }]);
    expect(JSON.parse(String(service.seen[0]?.body))).toEqual({ segmentations_at_once: 0, stored_bytes: null });
  });

  it.each([
    ['--at-once', 'many'],
    ['--at-once', '-1'],
    ['--requests-per-minute', '0'],
  ])('%s %s is wrong usage', async (option, value) => {
    expect((await run('tenant', 'quota', 'clinic', option, value)).status).toBe(2);
    expect(service.seen).toEqual([]);
  });

  it('creates a key with its scopes and shows it', async () => {
    const made = { id: 'k1', name: 'cli', scopes: ['segment'], created_at: CREATED, expires_at: null, key: 'pdora_x' };
    answer = (_, reply) => json(reply, 201, made);
    const args = ['--scope', 'segment', 'adapters:read', '--expires', '2027-01-01T00:00:00Z', '--json'];
    const { status, stdout } = await run('key', 'create', 'clinic', ...args);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(made);
    expect(service.seen[0]?.url).toBe('/v1/tenants/clinic/keys');
    expect(JSON.parse(String(service.seen[0]?.body))).toEqual({
      name: 'cli',
      scopes: ['segment', 'adapters:read'],
      expires_at: '2027-01-01T00:00:00.000Z',
    });
  });

  it('revokes a key', async () => {
    answer = (_, reply) => reply.writeHead(204).end();
    expect((await run('key', 'revoke', 'clinic', 'k1')).status).toBe(0);
    expect(service.seen[0]).toMatchObject({ method: 'DELETE', url: '/v1/tenants/clinic/keys/k1' });
  });

  it('says so where the service answers something else than the API promises', async () => {
    answer = (_, reply) => json(reply, 200, { nothing: 'known' });
    const { status, stderr } = await run('tenant', 'list');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: bad_reply: [^\n]+\n$/);
  });

  it('says so where an error is no problem of the API', async () => {
    answer = (_, reply) => reply.writeHead(502, { 'content-type': 'text/html' }).end('<html>gateway</html>');
    const { status, stderr } = await run('tenant', 'list');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: bad_reply: [^\n]*502[^\n]*\n$/);
  });
});

describe('pdora adapter at a service', () => {
  const file = Buffer.from('any bytes');
  const digest = `sha256:${createHash('sha256').update(file).digest('hex')}`;
  const created = { adapter: 'clinic/task', version: 2, digest, status: 'verifying' };
  const shown = shownAdapter({ digest });

  async function push(...more: string[]) {
    const path = join(folder, 'task.safetensors');
    await writeFile(path, file);
    return await run('adapter', 'push', path, '--name', 'task', ...more);
  }

  it('uploads the file with its length and digest', async () => {
    answer = (_, reply) => json(reply, 201, created);
    const { status, stdout } = await push();
    expect(status).toBe(0);
    expect(stdout).toContain('clinic/task');
    const [seen] = service.seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/adapters/task/versions' });
    expect(seen?.headers['content-length']).toBe(String(file.length));
    expect(seen?.headers['repr-digest']).toBe(`sha-256=:${createHash('sha256').update(file).digest('base64')}:`);
    expect(seen?.body.equals(file)).toBe(true);
  });

  it('sends what is too large for one request in parts, and a part again whose connection broke', async () => {
    const size = 2 * UPLOAD_PART_BYTES;
    const path = join(folder, 'large.safetensors');
    await writeFile(path, '');
    await truncate(path, size);
    const zeros = createHash('sha256').update(Buffer.alloc(size)).digest('hex');
    const parts = [1, 2].map((n) => ({ url: at(`parts/${n}`), size: UPLOAD_PART_BYTES, received: false }));
    let broken = false;
    answer = ({ method, url }, reply) => {
      const begun = { id: 'u1', size, sha256: `sha256:${zeros}`, parts, complete: at('complete') };
      if (url === '/v1/uploads') json(reply, 201, { ...begun, completed_at: null, expires_at: CREATED });
      else if (url.includes('/parts/2') && !broken) {
        broken = true;
        reply.socket?.destroy();
      } else if (method === 'PUT') reply.writeHead(204).end();
      else if (url.includes('/complete')) json(reply, 200, { id: 'u1', size, sha256: `sha256:${zeros}` });
      else json(reply, 201, { ...created, digest: `sha256:${zeros}` });
    };
    const { status, stderr } = await run('adapter', 'push', path, '--name', 'task');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(service.seen.map(({ method, url, body }) => `${method} ${url.split('?')[0]} ${body.length}`)).toEqual([
      expect.stringMatching('POST /v1/uploads '),
      `PUT /v1/uploads/u1/parts/1 ${UPLOAD_PART_BYTES}`,
      `PUT /v1/uploads/u1/parts/2 ${UPLOAD_PART_BYTES}`,
      `PUT /v1/uploads/u1/parts/2 ${UPLOAD_PART_BYTES}`,
      'POST /v1/uploads/u1/complete 0',
      expect.stringMatching('POST /v1/adapters/task/versions '),
    ]);
    expect(JSON.parse(String(service.seen[0]?.body))).toEqual({ size, sha256: zeros });
    expect(JSON.parse(String(service.seen.at(-1)?.body))).toEqual({ upload: 'u1' });
    expect(service.seen[1]?.url).toContain('signature=s');
  });

  it('waits until the version is ready', async () => {
    let asked = 0;
    answer = ({ method, url }, reply) => {
      if (method === 'POST') json(reply, 201, created);
      else {
        expect(url).toBe('/v1/adapters/clinic%2Ftask%402');
        asked += 1;
        json(reply, 200, { ...shown, status: asked < 3 ? 'verifying' : 'ready', problems: [] });
      }
    };
    const { status, stdout } = await push('--wait');
    expect(status).toBe(0);
    expect(asked).toBe(3);
    expect(stdout).toMatch(/status +ready/);
  });

  it('fails with the problems of a version that was rejected', async () => {
    const problems = [{ code: 'selftest', path: 'manifest.selftest', message: 'off by 2' }];
    answer = ({ method }, reply) =>
      method === 'POST' ? json(reply, 201, created) : json(reply, 200, { ...shown, status: 'rejected', problems });
    const { status, stderr } = await push('--wait');
    expect(status).toBe(1);
    expect(stderr).toBe('pdora: rejected: clinic/task@2: selftest at manifest.selftest: off by 2\n');
  });

  it('fails where the service took other bytes than the file has', async () => {
    answer = (_, reply) => json(reply, 201, { ...created, digest: `sha256:${'0'.repeat(64)}` });
    const { status, stderr } = await push();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: bad_reply: /);
  });

  it('shows and deletes by reference', async () => {
    answer = ({ method }, reply) => {
      if (method === 'GET') json(reply, 200, { ...shown, status: 'ready', problems: [] });
      else reply.writeHead(204).end();
    };
    expect((await run('adapter', 'show', 'clinic/task@2')).stdout).toContain(digest);
    expect((await run('adapter', 'delete', 'task@2')).status).toBe(0);
    expect((await run('adapter', 'delete', 'clinic/task')).status).toBe(0);
    expect(service.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /v1/adapters/clinic%2Ftask%402',
      'DELETE /v1/adapters/task/versions/2',
      'DELETE /v1/adapters/clinic%2Ftask',
    ]);
  });
});

const limited = (reply: ServerResponse, retryAfter: string, code = 'rate_limited') => {
  reply.setHeader('retry-after', retryAfter);
  problem(reply, 429, { code, detail: 'slower' });
};

describe('a service that is asked too often', () => {
  it('is asked again for a list after the time that it says', async () => {
    const times: number[] = [];
    answer = (_, reply) => {
      times.push(Date.now());
      if (times.length < 3) limited(reply, '1');
      else json(reply, 200, { data: [], next_cursor: null });
    };
    expect((await run('tenant', 'list', '--json')).status).toBe(0);
    const pauses = times.slice(1).map((time, n) => time - (times[n] ?? 0));
    expect(pauses).toHaveLength(2);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(990);
  });

  it.each([
    ['a change', ['tenant', 'create', 'clinic'], '0', 'rate_limited'],
    ['a quota that is used up', ['tenant', 'list'], '0', 'quota_exceeded'],
    ['a wait of an hour', ['tenant', 'list'], '3600', 'rate_limited'],
    ['a wait that is no number', ['tenant', 'list'], 'soon', 'rate_limited'],
  ])('is not asked again for %s', async (_, args, retryAfter, code) => {
    answer = (__, reply) => limited(reply, retryAfter, code);
    const { status, stderr } = await run(...args);
    expect(status).toBe(1);
    expect(stderr).toContain(`pdora: ${code}: slower`);
    expect(service.seen).toHaveLength(1);
  });

  it('is not asked for ever', async () => {
    answer = (_, reply) => limited(reply, '0');
    expect((await run('tenant', 'list')).status).toBe(1);
    expect(service.seen).toHaveLength(6);
  });
});
