import { env } from 'cloudflare:workers';
import { createHmac } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { ADMIN, callEdge, edge, makeKey, makeTenant, problem } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, hex, push, sha256 } from './support/files.ts';
import { labelMap } from './support/runner-stub.ts';
import { everyObject, everyRow } from './support/tables.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const shared = adapterFile('of both');

const run = (sql: string, ...binds: unknown[]) =>
  env.DB.prepare(sql)
    .bind(...binds)
    .run();

/** Everything that a tenant can have, in every table and under every prefix of the bucket. */
async function settle(tenant: string, key: string, other: string): Promise<void> {
  const call = (method: string, path: string, json?: unknown) =>
    edge(method, path, { key, ...(json === undefined ? {} : { json }) });
  await push(key, 'tumour', adapterFile(`of ${tenant}`));
  await push(key, 'same', shared);
  await call('PUT', '/v1/adapters/tumour/aliases/stable', { version: 1, expected: null });
  await call('PUT', `/v1/adapters/tumour/grants/${other}`);
  await edge('POST', '/v1/segmentations?adapter=tumour', { key, body: new Uint8Array(9) });
  const upload = await env.BLOBS.createMultipartUpload(`uploads/${tenant}-open`);
  const part = await upload.uploadPart(1, new Uint8Array(9));
  const whole = await env.BLOBS.createMultipartUpload(`uploads/${tenant}-whole`);
  await whole.complete([await whole.uploadPart(1, new Uint8Array(9))]);
  await env.BLOBS.put(`images/${tenant}-image`, new Uint8Array(9));
  for (const object of [`inputs/${tenant}-job`, `results/${tenant}-job/1`, `results/${tenant}-job/2`]) {
    await env.BLOBS.put(object, new Uint8Array(9));
  }
  await run('INSERT INTO quotas (tenant, stored_bytes) VALUES (?, 1000000)', tenant);
  for (const [id, multipart, completedAt] of [
    ['open', upload.uploadId, null],
    ['whole', whole.uploadId, 1],
  ]) {
    await run(
      "INSERT INTO uploads VALUES (?, ?, 'k', 9, ?, ?, ?, 1, 9e15)",
      `${tenant}-${id}`,
      tenant,
      sha256(new TextEncoder().encode(tenant)),
      multipart,
      completedAt,
    );
  }
  await run('INSERT INTO links VALUES (?, ?, ?, ?, 1, 9e15)', tenant, `${tenant}-link`, `hash of ${tenant}`, 'viewer');
  await run("INSERT INTO images VALUES (?, ?, 'n', '.nii.gz', 9, 9, 1, 1, 1, 9e15)", `${tenant}-image`, tenant);
  await run('INSERT INTO upload_parts VALUES (?, 1, ?)', `${tenant}-open`, part.etag);
  await run(
    `INSERT INTO jobs (id, tenant, actor, request, trace, adapter, adapter_tenant, adapter_name, adapter_version, base,
        output, input, input_bytes, status, created_at, deadline_at)
      VALUES (?, ?, 'key:x', ?, '-', ?, ?, 'tumour', 1, ?, 'labels', '{}', 9, 'succeeded', 1, 2)`,
    `${tenant}-job`,
    tenant,
    `${tenant}-request`,
    sha256(adapterFile(`of ${tenant}`)),
    tenant,
    BASE_DIGEST,
  );
  await run('INSERT INTO job_inputs VALUES (?, ?)', `${tenant}-job`, `${tenant}-whole`);
  await run("INSERT INTO idempotency VALUES (?, 'k', 'f', ?, 1, 9e15)", tenant, `${tenant}-job`);
}

beforeEach(async () => {
  await settle('acme', world.key, 'umbrella');
  await settle('umbrella', world.other, 'acme');
});

const remove = () => edge('DELETE', '/v1/tenants/acme', { key: ADMIN });
const mentions = (value: unknown) => JSON.stringify(value).includes('acme');

/** The rows that a deletion of `acme` has no business with. */
const kept = (rows: Record<string, Record<string, unknown>[]>) =>
  Object.entries(rows).flatMap(([table, all]) =>
    all
      .filter((row) => table !== 'tombstones' && !mentions(row))
      .filter((row) => row['digest'] !== sha256(adapterFile('of acme')))
      .map((row) => ({ table, ...row })),
  );

test('the tenant that is deleted has something in every table', async () => {
  const rows = await everyRow();
  const empty = Object.keys(rows).filter((table) => rows[table]?.length === 0);
  // What is only held for a moment, and what is left of the dead.
  expect(empty.toSorted()).toEqual(['file_holds', 'sweeps', 'tombstones', 'upload_remains']);
});

test('nothing of it is left, in any column of any table or any key of the bucket', async () => {
  const ids = new Set<string>();
  const before = await everyRow();
  for (const row of before['keys'] ?? [])
    if (row['tenant'] === 'acme') ids.add(String(row['id'])).add(String(row['hash']));
  ids.add(sha256(adapterFile('of acme'))).add(sha256(new TextEncoder().encode('acme')));
  expect(ids.size).toBeGreaterThan(3);
  expect((await remove()).status).toBe(204);
  const rows = JSON.stringify(await everyRow());
  for (const id of ['acme', ...ids]) expect(rows).not.toContain(id);
  const objects = await everyObject();
  expect(objects.filter(mentions)).toEqual([]);
  expect(objects).not.toContain(`blobs/${hex(sha256(adapterFile('of acme')))}`);
  const open = await env.DB.prepare('SELECT count(*) AS count FROM uploads').first<{ count: number }>();
  expect(open?.count).toBe(2);
});

test('an upload in parts of it is ended, so that none of its bytes stay', async () => {
  const row = await env.DB.prepare("SELECT multipart FROM uploads WHERE id = 'acme-open'").first<{
    multipart: string;
  }>();
  await remove();
  const upload = env.BLOBS.resumeMultipartUpload('uploads/acme-open', row?.multipart ?? '');
  await expect(upload.uploadPart(2, new Uint8Array(9))).rejects.toThrow();
});

test('another tenant loses nothing but what was shared with it', async () => {
  const before = await everyRow();
  const objects = await everyObject();
  await remove();
  const after = await everyRow();
  const theirs = kept(before);
  expect(theirs.length).toBeGreaterThan(20);
  for (const row of theirs) expect(kept(after)).toContainEqual(row);
  const gone = objects.filter((key) => !mentions(key) && key !== `blobs/${hex(sha256(adapterFile('of acme')))}`);
  expect(await everyObject()).toEqual(gone);
  const reply = await edge('GET', '/v1/adapters/same/file', { key: world.other });
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(shared);
  const use = await edge('POST', '/v1/segmentations?adapter=tumour@stable', {
    key: world.other,
    body: new Uint8Array(9),
  });
  expect(use.status).toBe(200);
});

test("others' lines and jobs keep what they did with its adapters, by digest, without its name", async () => {
  await edge('POST', '/v1/segmentations?adapter=acme/tumour', { key: world.other, body: new Uint8Array(9) });
  await edge('POST', '/v1/segmentations?adapter=acme/nothing', { key: world.other, body: new Uint8Array(9) });
  await env.DB.prepare("UPDATE jobs SET adapter_tenant = 'acme', adapter = ? WHERE tenant = 'umbrella'")
    .bind(sha256(adapterFile('of acme')))
    .run();
  await remove();
  const { data } = await (await edge('GET', '/v1/audit', { key: world.other })).json<{
    data: { action: string; subject: string; adapter: string | null }[];
  }>();
  expect(data.slice(0, 2)).toMatchObject([
    { action: 'segmentation.run', subject: '(deleted)', adapter: null },
    { action: 'segmentation.run', subject: '(deleted)', adapter: sha256(adapterFile('of acme')) },
  ]);
  expect(data.map(({ subject }) => subject)).toContain('umbrella/tumour/grants/(deleted)');
  const job = await env.DB.prepare('SELECT * FROM jobs').first();
  expect(job).toMatchObject({ tenant: 'umbrella', adapter: sha256(adapterFile('of acme')), adapter_version: 1 });
  expect(mentions(await everyRow())).toBe(false);
});

test('a segmentation of another that was under way ends with its label map, and its line without the name', async () => {
  world.runner.segment = async (headers) => {
    expect((await remove()).status).toBe(204);
    return labelMap(headers);
  };
  const call = { key: world.other, body: new Uint8Array(9) };
  const reply = await edge('POST', '/v1/segmentations?adapter=acme/tumour', call);
  expect(reply.status).toBe(200);
  const { data } = await (await edge('GET', '/v1/audit', { key: world.other })).json<{ data: unknown[] }>();
  expect(data[0]).toMatchObject({ subject: '(deleted)', adapter: sha256(adapterFile('of acme')), outcome: 'ok' });
  expect(mentions(await everyRow())).toBe(false);
});

test('a name that only begins or ends like it stays in every line', async () => {
  for (const ref of ['acme2/tumour', 'the.acme/tumour']) {
    await edge('POST', `/v1/segmentations?adapter=${ref}`, { key: world.other, body: new Uint8Array(9) });
  }
  await edge('PUT', '/v1/adapters/tumour/grants/the.acme', { key: world.other });
  await remove();
  const audit = await (await edge('GET', '/v1/audit', { key: world.other })).text();
  for (const subject of ['acme2/tumour', 'the.acme/tumour', 'umbrella/tumour/grants/the.acme']) {
    expect(audit).toContain(`"${subject}"`);
  }
});

test('one tombstone stays: an HMAC of the name, the time, and who did it', async () => {
  const before = Date.now();
  await remove();
  const { results } = await env.DB.prepare('SELECT * FROM tombstones').all();
  const name = createHmac('sha256', env.KEY_PEPPER).update('acme').digest('hex');
  expect(results).toEqual([{ id: 1, name_hash: name, at: expect.any(Number), actor: 'operator' }]);
  expect(Number(results[0]?.['at'])).toBeGreaterThanOrEqual(before);
  expect(await problem(await remove())).toMatchObject({ status: 404, code: 'not_found' });
  expect((await env.DB.prepare('SELECT * FROM tombstones').all()).results).toHaveLength(1);
});

test('a tenant of the longest name goes as well', async () => {
  const name = 'n'.repeat(64);
  await makeTenant(name);
  await edge('PUT', `/v1/adapters/tumour/grants/${name}`, { key: world.key });
  expect((await edge('DELETE', `/v1/tenants/${name}`, { key: ADMIN })).status).toBe(204);
  expect(JSON.stringify(await everyRow())).not.toContain(name);
});

test('one that is made anew under the name has nothing of it', async () => {
  await remove();
  await makeTenant('acme');
  const { key } = await makeKey('acme');
  expect(await (await edge('GET', '/v1/adapters', { key })).json()).toEqual({ data: [], next_cursor: null });
  expect((await edge('GET', '/v1/adapters', { key: world.key })).status).toBe(401);
});

test.each([
  ['gone', false],
  ['there again under the same name', true],
])('an upload that was under way while its tenant is %s leaves nothing behind', async (_, again) => {
  const file = adapterFile('late');
  const { readable, writable } = new FixedLengthStream(file.byteLength);
  const headers = { 'content-length': String(file.byteLength) };
  const writer = writable.getWriter();
  const sending = callEdge('POST', '/v1/adapters/late/versions', { key: world.key, body: readable, headers });
  await writer.write(file.slice(0, 100));
  expect((await remove()).status).toBe(204);
  if (again) await makeTenant('acme');
  const before = [await everyRow(), await everyObject()];
  await writer.write(file.slice(100));
  await writer.close();
  const { reply, settled } = await sending;
  await settled();
  expect(await problem(reply)).toMatchObject({ status: 401, code: 'unauthorized' });
  expect([await everyRow(), await everyObject()]).toEqual(before);
});

/** The bucket, whose deletions fail as long as `fails` says so. */
function unreliable(fails: (key: string) => boolean): R2Bucket {
  return new Proxy(env.BLOBS, {
    get(bucket, name) {
      if (name === 'delete') {
        return async (keys: string | string[]) => {
          if (fails(String(keys))) throw new Error('the bucket does not answer');
          await bucket.delete(keys);
        };
      }
      const value: unknown = Reflect.get(bucket, name);
      return typeof value === 'function' ? value.bind(bucket) : value;
    },
  });
}

test('what the bucket refuses twice is tried again', async () => {
  const tried = new Map<string, number>();
  const BLOBS = unreliable((key) => {
    const times = (tried.get(key) ?? 0) + 1;
    tried.set(key, times);
    return times < 3 && !key.startsWith('blobs/');
  });
  expect((await edge('DELETE', '/v1/tenants/acme', { key: ADMIN, vars: { BLOBS } })).status).toBe(204);
  expect((await everyObject()).filter(mentions)).toEqual([]);
});

test('what the bucket never lets go keeps nothing else, and that is said', async () => {
  const BLOBS = unreliable((key) => key === 'inputs/acme-job');
  const reply = await edge('DELETE', '/v1/tenants/acme', { key: ADMIN, vars: { BLOBS } });
  expect(await problem(reply)).toMatchObject({ status: 503, code: 'storage_unavailable' });
  expect((await everyObject()).filter(mentions)).toEqual(['inputs/acme-job']);
  expect(mentions(await everyRow())).toBe(false);
  const file = sha256(adapterFile('of acme'));
  expect(await everyObject()).not.toContain(`blobs/${hex(file)}`);
});
