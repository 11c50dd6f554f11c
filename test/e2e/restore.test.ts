import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../cli/dev/ports.ts';
import { fileOf, noiseVolume } from '../support/small-model.ts';
import { backUp, migrationsLeft, restore } from './support/backup.ts';
import { type Edge, startEdge } from './support/edge.ts';
import { makeFolder } from './support/folder.ts';
import { startRunner } from './support/runner.ts';
import { labelMap, problemOf, pushReady, startSmallSystem } from './support/small-system.ts';

const ended: (() => Promise<void>)[] = [];
let edge: Edge;
let key: string;
let revoked: string;
let lost: Uint8Array;
let volume: Uint8Array;
let before: Buffer;
let auditBefore: unknown[];

const audit = async (by: Edge) => {
  const reply = await by.call('GET', '/v1/audit?limit=200', { key });
  const { data }: { data: unknown[] } = JSON.parse(await reply.text());
  return data;
};
const segment = (adapter: string, by = key) =>
  edge.call('POST', `/v1/segmentations?adapter=${adapter}`, { key: by, body: volume });

/** A service that is backed up while it runs, changed after that, and lost; then one of the backup alone. */
beforeAll(async () => {
  const folder = await makeFolder();
  ended.push(folder.remove);
  const backup = join(folder.path, 'backup');
  const system = await startSmallSystem();
  try {
    key = system.key;
    volume = await noiseVolume([24, 28, 40]);
    before = await system.goodLabels();
    const alias = await system.edge.call('PUT', '/v1/adapters/good/aliases/prod', {
      key,
      json: { version: 1, expected: null },
    });
    expect(alias.status).toBe(200);
    lost = (await system.model.adapter({ description: 'its file is lost' })).bytes;
    await pushReady(system, key, 'lost', lost);
    const made = await system.edge.call('POST', '/v1/tenants/hospital/keys', {
      json: { name: 'old', scopes: ['segment'] },
    });
    const old: { id: string; key: string } = JSON.parse(await made.text());
    revoked = old.key;
    auditBefore = await audit(system.edge);
    await backUp(system.edge.state, backup);
    expect((await system.edge.call('DELETE', `/v1/tenants/hospital/keys/${old.id}`)).status).toBe(204);
    await pushReady(system, key, 'late', (await system.model.adapter({ description: 'after the backup' })).bytes);
  } finally {
    await system.close();
  }
  await rm(join(backup, 'blobs', fileOf(lost).digest.replace('sha256:', '')));

  const [port = 0] = await freePorts(1);
  edge = await startEdge([`http://127.0.0.1:${port}`], (state) => restore(backup, state));
  ended.push(() => edge.close());
  const cacheDirectory = join(folder.path, 'cache');
  await mkdir(cacheDirectory);
  const runner = await startRunner({ port, edgeUrl: edge.url.href, cacheDirectory });
  ended.push(() => runner.stop());
}, 400_000);
afterAll(async () => {
  for (const end of ended.toReversed()) await end();
});

test('a key of before segments as before, byte for byte, from files that only the restored bucket has', async () => {
  const reply = await segment('good@prod');
  expect(reply.headers.get('x-adapter-cache')).toBe('cold');
  expect((await labelMap(reply)).equals(before)).toBe(true);
});

test('the audit is the one of before, and goes on', async () => {
  const now = await audit(edge);
  expect(now.slice(-auditBefore.length)).toEqual(auditBefore);
  expect(now.length).toBeGreaterThan(auditBefore.length);
});

test('what came after the backup is not there, and a key that was revoked after it works again', async () => {
  expect((await segment('late')).status).toBe(404);
  expect((await segment('good', revoked)).status).toBe(200);
});

test('a version whose file the bucket lost is no other, and comes back with the same upload', async () => {
  expect((await problemOf(await segment('lost'))).code).toBe('bad_runner_reply');
  const reply = await edge.call('POST', '/v1/adapters/lost/versions', { key, body: lost });
  expect(reply.status).toBe(200);
  // The runner believes for two seconds what it was told last.
  await expect.poll(async () => (await segment('lost')).status, { timeout: 20_000 }).toBe(200);
});

test('no migration is left to apply', async () => {
  expect(await migrationsLeft(edge.state)).toContain('No migrations to apply');
});
