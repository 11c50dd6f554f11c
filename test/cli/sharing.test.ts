import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, pdora, problem, type Seen, type TestService, testService } from './run.ts';
import { shownAdapter } from './shown-adapter.ts';

const CREATED = '2026-01-31T12:00:00.000Z';
const DIGEST = `sha256:${'a'.repeat(64)}`;

let service: TestService;
let answer: (seen: Seen, reply: ServerResponse) => void;
beforeEach(async () => {
  service = await testService((seen, reply) => answer(seen, reply));
});
afterEach(async () => {
  await service.close();
});

const run = (...args: string[]) => pdora([...args, '--url', service.url, '--key', 'k']);
const calls = () => service.seen.map(({ method, url }) => `${method} ${url}`);
const bodies = () =>
  service.seen.filter(({ body }) => body.length > 0).map(({ body }): unknown => JSON.parse(String(body)));

describe('pdora adapter alias', () => {
  const shown = shownAdapter({ aliases: { stable: 1, latest: 2 } });

  beforeEach(() => {
    answer = ({ method, body }, reply) => {
      if (method === 'GET') json(reply, 200, shown);
      else if (method === 'DELETE') reply.writeHead(204).end();
      else {
        const { version } = JSON.parse(String(body));
        json(reply, 200, { adapter: 'clinic/task', alias: 'stable', version });
      }
    };
  });

  it('moves it from where it is', async () => {
    const { status, stdout } = await run('adapter', 'alias', 'task', 'stable', '2');
    expect(status).toBe(0);
    expect(stdout).toBe('clinic/task@stable -> 2\n');
    expect(calls()).toEqual(['GET /v1/adapters/task', 'PUT /v1/adapters/task/aliases/stable']);
    expect(bodies()).toEqual([{ version: 2, expected: 1 }]);
  });

  it('makes one that is not there yet', async () => {
    await run('adapter', 'alias', 'clinic/task', 'canary', '2');
    expect(calls()).toEqual(['GET /v1/adapters/clinic%2Ftask', 'PUT /v1/adapters/clinic%2Ftask/aliases/canary']);
    expect(bodies()).toEqual([{ version: 2, expected: null }]);
  });

  it('moves it from where it is said to be, without looking', async () => {
    await run('adapter', 'alias', 'task', 'stable', '2', '--expected', '7');
    await run('adapter', 'alias', 'task', 'stable', '2', '--expected', 'none');
    expect(calls()).toEqual(Array(2).fill('PUT /v1/adapters/task/aliases/stable'));
    expect(bodies()).toEqual([
      { version: 2, expected: 7 },
      { version: 2, expected: null },
    ]);
  });

  it('says where it is when that is elsewhere', async () => {
    answer = (_, reply) => problem(reply, 409, { code: 'alias_conflict', detail: 'The alias stable is at version 3.' });
    const { status, stderr } = await run('adapter', 'alias', 'task', 'stable', '2', '--expected', '1');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: alias_conflict: [^\n]*version 3[^\n]*\n$/);
  });

  it('deletes it', async () => {
    expect((await run('adapter', 'alias', 'task', 'stable', '--delete')).status).toBe(0);
    expect((await run('adapter', 'alias', 'task', 'stable', '--delete', '--expected', '3')).status).toBe(0);
    expect(calls()).toEqual([
      'DELETE /v1/adapters/task/aliases/stable',
      'DELETE /v1/adapters/task/aliases/stable?expected=3',
    ]);
  });
});

describe('pdora adapter grant', () => {
  it.each([
    ['task', 'lab', 'task/grants/lab'],
    ['clinic/task', '*', 'clinic%2Ftask/grants/*'],
  ])('gives %s to %s and takes it back', async (name, tenant, path) => {
    answer = (_, reply) => reply.writeHead(204).end();
    expect((await run('adapter', 'grant', name, tenant)).status).toBe(0);
    expect((await run('adapter', 'grant', name, tenant, '--withdraw')).status).toBe(0);
    expect(calls()).toEqual([`PUT /v1/adapters/${path}`, `DELETE /v1/adapters/${path}`]);
  });
});

describe('pdora key rotate', () => {
  const made = { id: 'k2', name: 'cli', scopes: ['segment'], created_at: CREATED, expires_at: null, key: 'pdora_x' };

  it('shows the new key', async () => {
    answer = (_, reply) => json(reply, 201, made);
    expect((await run('key', 'rotate', 'clinic', 'k1')).stdout).toMatch(/^key +pdora_x$/m);
    expect(JSON.parse((await run('key', 'rotate', 'clinic', 'k1', '--overlap', '0', '--json')).stdout)).toEqual(made);
    expect(calls()).toEqual(Array(2).fill('POST /v1/tenants/clinic/keys/k1/rotate'));
    expect(bodies()).toEqual([{ overlap_seconds: 86_400 }, { overlap_seconds: 0 }]);
  });
});

const line = (id: number) => ({
  id,
  at: CREATED,
  tenant: 'clinic',
  actor: 'key:k1',
  action: 'segmentation.run',
  subject: 'clinic/task@2',
  adapter: DIGEST,
  base: DIGEST,
  voxels: 4096,
  outcome: 'ok',
  request_id: 'r',
});

describe('pdora audit', () => {
  it('shows lines, page after page, as many as are asked for', async () => {
    answer = ({ url }, reply) => {
      const second = url.includes('cursor=c1');
      json(reply, 200, { data: second ? [line(2), line(1)] : [line(4), line(3)], next_cursor: second ? null : 'c1' });
    };
    const all = await run('audit', '--json');
    expect(JSON.parse(all.stdout)).toEqual([4, 3, 2, 1].map(line));
    const three = await run('audit', '--tenant', 'clinic', '--limit', '3', '--json');
    expect(JSON.parse(three.stdout)).toEqual([4, 3, 2].map(line));
    expect(calls().at(-2)).toBe('GET /v1/audit?tenant=clinic&limit=3');
    expect((await run('audit')).stdout).toMatch(/key:k1 +segmentation\.run +clinic\/task@2 +4096 +ok$/m);
  });
});
