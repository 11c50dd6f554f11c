import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { d1Catalogue } from '../../workers/edge/store/d1/catalogue.ts';
import { ADMIN, cron, deliver, edge } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { submit, submitted } from './support/jobs.ts';
import { makeLink, send } from './support/monai-label.ts';
import { costly, planOf, statementsOf } from './support/statements.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
let job = '';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  await env.DB.prepare("INSERT INTO aliases VALUES ('acme', 'tumour', 'stable', 1)").run();
  job = await submitted(world.key);
  await deliver();
});

const digest = sha256(adapterFile());
const references = ['acme/tumour', 'acme/tumour@1', 'acme/tumour@stable', digest];

/** Calls that must be answered, as a tenant and as the operator. */
async function answered(status: number, method: string, path: string, body: Uint8Array | null = null) {
  for (const key of [world.key, ADMIN]) {
    const reply = await edge(method, path, { key, body });
    expect({ method, path, status: reply.status }).toEqual({ method, path, status });
  }
}

const quota = { storedBytes: 0, waitingJobs: 0, segmentationsAtOnce: 0, requestsPerMinute: 0 };
const catalogue = () => d1Catalogue(env.DB, { publicAdapters: true, quota });
const entry = (subject: string) => ({
  tenant: 'acme',
  actor: 'service',
  action: 'segmentation.run' as const,
  subject,
  outcome: 'ok' as const,
  requestId: 'r',
  at: 1,
});
const problem = { code: 'cancelled' as const, detail: 'x' };

/** Whatever is asked of the database often, or by many. */
const WORK: Record<string, () => Promise<unknown>> = {
  'list of adapters': () => answered(200, 'GET', '/v1/adapters?limit=1'),
  'show by any reference': async () => {
    for (const ref of references) await answered(200, 'GET', `/v1/adapters/${encodeURIComponent(ref)}`);
  },
  'file of a version': () => answered(200, 'GET', `/v1/adapters/${encodeURIComponent('acme/tumour')}/file`),
  models: () => answered(200, 'GET', '/v1/models'),
  bases: () => answered(200, 'GET', '/v1/bases'),
  'segment by any reference': async () => {
    for (const ref of [...references, '__base__']) {
      await answered(200, 'POST', `/v1/segmentations?adapter=${ref}`, new Uint8Array(9));
    }
  },
  'upload of a version': () => push(world.key, 'tumour', adapterFile('another')),
  'job from its creation to its result': async () => {
    const id = await submitted(world.key, 'adapter=tumour', { headers: { 'idempotency-key': 'one' } });
    await deliver();
    for (const path of [`/v1/segmentations/${id}`, `/v1/segmentations/${id}/result`]) await answered(200, 'GET', path);
    expect((await edge('DELETE', `/v1/segmentations/${id}`, { key: world.key })).status).toBe(204);
  },
  'job that a quota may refuse': async () => {
    const found = await catalogue().jobs.find({ kind: 'operator' }, job);
    if (found === null) throw new Error('no job');
    expect(await catalogue().jobs.create({ ...found, id: 'another' }, 1, quota, entry('another'))).toBe(false);
  },
  'steps of a job that goes wrong': async () => {
    const { jobs } = catalogue();
    await jobs.renew(job, 'lease', 1, null);
    await jobs.giveBack(job, 'lease', 1, true);
    await jobs.postpone(job, 1, 2);
    await jobs.fail(job, null, problem, 1, entry(job));
    await jobs.cancel(job, problem, 1, [entry(job)]);
    await jobs.oldestQueued('acme');
  },
  'list of jobs': () => answered(200, 'GET', '/v1/segmentations?limit=1'),
  'the sweepers': async () => {
    await submit(world.key);
    await cron();
    await cron('17 * * * *');
  },
  "MONAI Label's clients": async () => {
    for (const path of ['info/', 'datastore/']) await answered(200, 'GET', `/monailabel/${path}`);
    const files = { files: { filename: 'a.nii', bytes: new Uint8Array(9) } };
    for (const key of [world.key, ADMIN]) {
      const kept = await send('PUT', '/monailabel/session/', { files }, { key });
      const { session_id: id } = await kept.json<{ session_id: string }>();
      await send('PUT', '/monailabel/datastore/?image=x', { files: { file: files.files } }, { key });
      for (const query of [`session_id=${id}`, 'image=x']) {
        const reply = await send(
          'POST',
          `/monailabel/infer/acme/tumour?${query}`,
          { fields: { params: '{}' } },
          { key },
        );
        expect(reply.status).toBe(200);
      }
      await edge('DELETE', `/monailabel/session/${id}`, { key });
    }
    const { id, door } = await makeLink(ADMIN);
    expect((await edge('GET', `${door}/info/`)).status).toBe(200);
    await edge('DELETE', `/v1/tenants/acme/links/${id}`, { key: ADMIN });
  },
  audit: async () => {
    await catalogue().audit.append(entry('x'));
    for (const tenant of ['acme', undefined]) await catalogue().audit.list(tenant, { after: null, limit: 1 });
  },
  'keys and tenants': async () => {
    await answered(200, 'GET', '/v1/tenants/acme/keys');
    await edge('GET', '/v1/tenants', { key: ADMIN });
  },
};

/** Plans that are as they should be, for what they go through is small or is the answer. */
const ALLOWED = [
  { sql: /FROM bases$/, line: 'SCAN bases', why: 'bases are the few that the operator serves' },
  { sql: /FROM bases b .* ORDER BY b\.created_at/, line: 'SCAN b', why: 'the same' },
  { sql: /FROM bases b .* ORDER BY b\.created_at/, line: 'USE TEMP B-TREE FOR ORDER BY', why: 'the same' },
  { sql: /WHERE v\.digest = \? AND/, line: 'USE TEMP B-TREE FOR ORDER BY', why: 'versions of the very same bytes' },
  { sql: /FROM upload_remains LIMIT/, line: 'SCAN upload_remains', why: 'a list of what is to do, some at a time' },
  { sql: /^SELECT a\.tenant, a\.name, v\.digest/, line: 'SCAN adapters', why: 'the operator is told all models' },
];

const isAllowed = (sql: string, line: string) => ALLOWED.some((one) => one.sql.test(sql) && one.line === line);

describe('no statement costs by how much others have', () => {
  test.each(Object.keys(WORK))('%s', async (name) => {
    const statements = await statementsOf(async () => await WORK[name]?.());
    expect(statements).not.toEqual([]);
    for (const sql of statements) {
      const found = costly(await planOf(sql)).filter((line) => !isAllowed(sql, line));
      expect({ sql, found }).toEqual({ sql, found: [] });
    }
  });
});

test('a statement that does is found', async () => {
  expect(costly(await planOf('SELECT id FROM jobs WHERE actor = ?'))).toEqual(['SCAN jobs']);
  expect(costly(await planOf('SELECT id FROM audit WHERE tenant = ? ORDER BY at LIMIT 1'))).toEqual([
    'USE TEMP B-TREE FOR ORDER BY',
  ]);
  const joined = 'SELECT 1 FROM (SELECT tenant FROM grants LIMIT 9) g JOIN uploads u ON u.size = ?';
  expect(costly(await planOf(joined))).toEqual(expect.arrayContaining([expect.stringMatching(/^SCAN u\b/)]));
});
