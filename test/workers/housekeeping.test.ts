import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { FILE_GRACE_SECONDS, JOB_KEPT_SECONDS } from '../../schemas/limits.ts';
import { portsOf } from '../../workers/edge/ports.ts';
import { keepHouse } from '../../workers/edge/services/housekeeping/keep-house.ts';
import { ADMIN, cron, edge, stored } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { preparedBy } from './support/statements.ts';
import { makeJob } from './support/uploads.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GRACE_MS = FILE_GRACE_SECONDS * 1000;
const left = sha256(new Uint8Array(9));
const file = adapterFile();

/** A file that an upload put and then came no further. */
async function leaveBehind(holdUntil: number | null, markedAt: number | null = null): Promise<void> {
  await env.BLOBS.put(`blobs/${hex(left)}`, new Uint8Array(9));
  await env.DB.prepare('INSERT INTO files (digest, size, deleting_at, created_at) VALUES (?, 9, ?, 1)')
    .bind(left, markedAt)
    .run();
  if (holdUntil !== null) await env.DB.prepare("INSERT INTO file_holds VALUES ('h', ?, ?)").bind(left, holdUntil).run();
}

const housekeeping = () => cron('17 * * * *');
/** As the clock will be in so many milliseconds. */
const later = (ms: number) => keepHouse({ ...portsOf(env, createExecutionContext()), now: () => Date.now() + ms });
const isThere = async (digest = left) => (await stored()).blobs.includes(`blobs/${hex(digest)}`);
const keys = async (prefix: string) => (await env.BLOBS.list({ prefix })).objects.map((object) => object.key);
const remove = (path: string, key = world.key) => edge('DELETE', path, { key });

describe('a file that an upload left behind', () => {
  test('is taken away', async () => {
    await leaveBehind(null);
    await housekeeping();
    expect(await isThere()).toBe(false);
    expect((await stored()).rows).toMatchObject({ files: 1, file_holds: 0 });
  });

  test('stays while the upload is under way, until its hold has run out', async () => {
    await leaveBehind(Date.now() + HOUR_MS);
    await housekeeping();
    expect(await isThere()).toBe(true);
    await later(2 * HOUR_MS);
    expect(await isThere()).toBe(false);
    expect((await stored()).rows).toMatchObject({ file_holds: 0 });
  });

  test('that another is just taking away is left to it, and finished where it never was', async () => {
    await leaveBehind(null, Date.now());
    await housekeeping();
    expect(await isThere()).toBe(true);
    await later(HOUR_MS);
    expect(await isThere()).toBe(false);
  });

  test('is taken away two hundred at a turn, and the others in the next', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `sha256:${String(i).padStart(64, '0')}`);
    const insert = env.DB.prepare(
      'INSERT INTO files (digest, size, created_at) SELECT value, 9, 1 FROM json_each(?)',
    ).bind(JSON.stringify(many));
    await insert.run();
    await housekeeping();
    expect((await stored()).rows).toMatchObject({ files: 101 });
    await housekeeping();
    expect((await stored()).rows).toMatchObject({ files: 1 });
  });
});

test('a turn with more to do than it may asks the database less than the thousand times D1 allows', async () => {
  const numbers = JSON.stringify(Array.from({ length: 400 }, (_, i) => i));
  const fill = (sql: string) => env.DB.prepare(sql).bind(numbers).run();
  await fill(
    "INSERT INTO files (digest, size, created_at) SELECT printf('sha256:%064d', value), 9, 1 FROM json_each(?)",
  );
  await fill("INSERT INTO upload_remains SELECT 'upload ' || value, 'multipart' FROM json_each(?)");
  const ports = portsOf(env, createExecutionContext());
  const asked = await preparedBy(() =>
    keepHouse({ ...ports, multiparts: { ...ports.multiparts, remove: async () => {} } }),
  );
  // Each file takes two, each upload one.
  expect(asked.length).toBeGreaterThan(2 * 200 + 300);
  expect(asked.length).toBeLessThan(1_000);
});

const fetched = async () => (await env.BLOBS.get(`blobs/${hex(sha256(file))}`))?.bytes();
describe("a deleted version's file", () => {
  test.each([
    ['a version', '/v1/adapters/tumour/versions/1'],
    ['an adapter', '/v1/adapters/tumour'],
  ])('stays for its grace after %s was deleted, and then goes', async (_, path) => {
    await push(world.key, 'tumour', file);
    await later(10 * DAY_MS);
    expect((await remove(path)).status).toBe(204);
    await later(GRACE_MS - 60_000);
    expect(await fetched()).toEqual(file);
    await later(GRACE_MS + 60_000);
    expect(await isThere(sha256(file))).toBe(false);
    expect((await stored()).rows).toMatchObject({ files: 1 });
  });

  test('stays as long as another tenant has it too', async () => {
    await push(world.key, 'tumour', file);
    await push(world.other, 'same', file);
    await remove('/v1/adapters/tumour');
    await later(10 * DAY_MS);
    expect(await fetched()).toEqual(file);
    await remove('/v1/adapters/same', world.other);
    await later(GRACE_MS + 60_000);
    expect(await isThere(sha256(file))).toBe(false);
  });

  test('uploaded again within its grace is there for good', async () => {
    await push(world.key, 'tumour', file);
    await remove('/v1/adapters/tumour');
    expect((await push(world.key, 'tumour', file)).status).toBe(201);
    await later(10 * DAY_MS);
    expect(await fetched()).toEqual(file);
  });

  test('in its grace is left there by an upload of it that came to nothing', async () => {
    await push(world.key, 'tumour', file);
    await remove('/v1/adapters/tumour');
    const headers = { 'content-length': String(file.byteLength) };
    const short = new Blob([file.slice(0, -1)]).stream();
    const named = {
      ...headers,
      'repr-digest': `sha-256=:${Buffer.from(hex(sha256(file)), 'hex').toString('base64')}:`,
    };
    expect(
      (await edge('POST', '/v1/adapters/tumour/versions', { key: world.key, body: short, headers: named })).status,
    ).toBe(400);
    expect(await fetched()).toEqual(file);
    await later(GRACE_MS + 60_000);
    expect(await isThere(sha256(file))).toBe(false);
  });

  test('of a deleted tenant goes at once', async () => {
    await push(world.key, 'tumour', file);
    await remove('/v1/tenants/acme', ADMIN);
    expect(await isThere(sha256(file))).toBe(false);
  });
});

test('an upload that meets the mark waits, and puts the file again', async () => {
  await env.DB.prepare('INSERT INTO files (digest, size, deleting_at, created_at) VALUES (?, ?, ?, 1)')
    .bind(sha256(file), file.byteLength, Date.now())
    .run();
  const pushed = push(world.key, 'tumour', file);
  await scheduler.wait(300);
  expect((await stored()).rows).toMatchObject({ versions: 0 });
  await env.DB.prepare('DELETE FROM files WHERE deleting_at IS NOT NULL').run();
  expect((await pushed).status).toBe(201);
  const reply = await edge('GET', '/v1/adapters/tumour/file', { key: world.key });
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(file);
});

test('an upload that meets a mark whose maker never came back ends its work, and puts the file', async () => {
  await env.DB.prepare('INSERT INTO files (digest, size, deleting_at, created_at) VALUES (?, ?, ?, 1)')
    .bind(sha256(file), file.byteLength, Date.now() - HOUR_MS)
    .run();
  expect((await push(world.key, 'tumour', file)).status).toBe(201);
  const reply = await edge('GET', '/v1/adapters/tumour/file', { key: world.key });
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(file);
});

test('files of versions and bases stay', async () => {
  await push(world.key, 'tumour', file);
  const before = await stored();
  await later(10 * DAY_MS);
  expect(await stored()).toEqual(before);
});

test('staged bodies are cleared once their upload can no longer be under way', async () => {
  await env.BLOBS.put('staging/left', new Uint8Array(9));
  await housekeeping();
  expect((await stored()).blobs).toContain('staging/left');
  await later(2 * HOUR_MS);
  expect((await stored()).blobs).not.toContain('staging/left');
});

describe('what jobs left', () => {
  const body = new Uint8Array(9);

  test('inputs stay while their job has not ended', async () => {
    await makeJob('queued');
    await makeJob('running', { status: 'running' });
    await makeJob('ended', { status: 'succeeded' });
    for (const job of ['queued', 'running', 'ended', 'absent']) await env.BLOBS.put(`inputs/${job}`, body);
    await housekeeping();
    expect(await keys('inputs/')).toHaveLength(4);
    await later(2 * HOUR_MS);
    expect(await keys('inputs/')).toEqual(['inputs/queued', 'inputs/running']);
  });

  test('results stay that are those of their job, for their time', async () => {
    const until = Date.now() + DAY_MS;
    await makeJob('good', { status: 'succeeded', attempt: 2, result_until: until });
    await makeJob('over', { status: 'succeeded', attempt: 1, result_until: Date.now() + HOUR_MS });
    await makeJob('failed', { status: 'failed', attempt: 1 });
    const places = ['good/1', 'good/2', 'good/12', 'over/1', 'failed/1', 'absent/1', 'good/x'];
    for (const place of places) await env.BLOBS.put(`results/${place}`, body);
    await housekeeping();
    expect(await keys('results/')).toHaveLength(places.length);
    await later(2 * HOUR_MS);
    expect(await keys('results/')).toEqual(['results/good/2']);
    await later(DAY_MS + 60_000);
    expect(await keys('results/')).toEqual([]);
  });

  test('rows of jobs and idempotency keys go when their time is over', async () => {
    const now = Date.now();
    await makeJob('old', { status: 'failed', ended_at: now });
    await makeJob('older', { status: 'failed', ended_at: now - 2 * DAY_MS });
    await makeJob('open');
    const insert = "INSERT INTO idempotency VALUES ('acme', ?, 'f', 'r', 0, ?)";
    await env.DB.batch([
      env.DB.prepare(insert).bind('gone', now + HOUR_MS),
      env.DB.prepare(insert).bind('kept', now + 60 * DAY_MS),
    ]);
    await later(JOB_KEPT_SECONDS * 1000 - DAY_MS);
    const jobs = await env.DB.prepare('SELECT id FROM jobs ORDER BY id').all();
    expect(jobs.results).toEqual([{ id: 'old' }, { id: 'open' }]);
    expect((await env.DB.prepare('SELECT key FROM idempotency').all()).results).toEqual([{ key: 'kept' }]);
  });

  test('a turn that breaks off goes on where it was', async () => {
    const ports = { ...portsOf(env, createExecutionContext()), now: () => Date.now() + 2 * HOUR_MS };
    for (const job of ['a', 'b', 'c']) await env.BLOBS.put(`inputs/${job}`, body);
    const asked: (string | undefined)[] = [];
    const pages = (prefix: string, cursor: string | undefined) => {
      if (prefix !== 'inputs/') return { keys: [], cursor: undefined };
      asked.push(cursor);
      if (asked.length === 3) throw new Error('R2 is away');
      return { keys: [], cursor: `after ${asked.length}` };
    };
    const objects = {
      ...ports.objects,
      before: async (prefix: string, _: number, cursor?: string) => pages(prefix, cursor),
    };
    await expect(keepHouse({ ...ports, objects })).rejects.toThrow(AggregateError);
    expect(asked).toEqual([undefined, 'after 1', 'after 2']);
    await keepHouse({
      ...ports,
      objects: { ...objects, before: async (prefix, _, cursor) => ({ ...pages(prefix, cursor), cursor: undefined }) },
    });
    // What the store refused may have been the cursor itself.
    expect(asked[3]).toBeUndefined();
  });
});

const leaveImage = (id: string, expiresAt: number) =>
  env.DB.prepare("INSERT INTO images VALUES (?, 'acme', NULL, '.nii.gz', 9, 9, 1, 1, 1, ?)").bind(id, expiresAt).run();

describe('images that clients left', () => {
  test('go when they were not used for their time', async () => {
    await leaveImage('old', Date.now() + HOUR_MS);
    await leaveImage('used', Date.now() + DAY_MS);
    for (const id of ['old', 'used']) await env.BLOBS.put(`images/${id}`, new Uint8Array(9));
    await housekeeping();
    expect(await keys('images/')).toHaveLength(2);
    await later(HOUR_MS + 60_000);
    expect(await keys('images/')).toEqual(['images/used']);
    expect((await env.DB.prepare('SELECT id FROM images').all()).results).toEqual([{ id: 'used' }]);
  });

  test('that were never written down go once they can no longer be on their way', async () => {
    await env.BLOBS.put('images/absent', new Uint8Array(9));
    await housekeeping();
    expect(await keys('images/')).toHaveLength(1);
    await later(2 * HOUR_MS);
    expect(await keys('images/')).toEqual([]);
  });
});

test('a chore that fails keeps none of the others from being done', async () => {
  await leaveBehind(null);
  const ports = portsOf(env, createExecutionContext());
  const blobs = { ...ports.blobs, sweepStaging: () => Promise.reject(new Error('R2 is away')) };
  await expect(keepHouse({ ...ports, blobs })).rejects.toThrow(AggregateError);
  expect(await isThere()).toBe(false);
});
