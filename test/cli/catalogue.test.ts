import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UPLOAD_PART_BYTES } from '../../schemas/limits.ts';
import { json, pdora, type Seen, type TestService, testService } from './run.ts';

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
  const shown = {
    adapter: 'clinic/task',
    description: '',
    latest: 2,
    created_at: CREATED,
    channels: ['T1'],
    activation: 'softmax',
    labels: [{ value: 0, name: 'background' }],
    inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' },
    provenance: {},
    licence: '',
    intended_use: '',
    version: 2,
    digest,
    base: `sha256:${'b'.repeat(64)}`,
    versions: [],
    aliases: {},
  };

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
