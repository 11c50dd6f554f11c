import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { uploadSchema } from '../../schemas/api-uploads.ts';
import { UPLOAD_MAX_BYTES, UPLOAD_PART_BYTES } from '../../schemas/limits.ts';
import { portsOf } from '../../workers/edge/ports.ts';
import { keepHouse } from '../../workers/edge/services/housekeeping/keep-house.ts';
import { ADMIN, edge, makeKey, problem } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, BASE_FILE, hex, sha256 } from './support/files.ts';
import { begin, complete, jobThatReads, put, send, upload } from './support/uploads.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const DAY_MS = 86_400_000;

const uploadsThere = async () =>
  (await env.DB.prepare('SELECT id FROM uploads').all<{ id: string }>()).results.map(({ id }) => id);
const objects = async () => (await env.BLOBS.list({ prefix: 'uploads/' })).objects.map((object) => object.key);
const audited = async () =>
  (await env.DB.prepare("SELECT tenant, actor, action, subject FROM audit WHERE action LIKE 'upload.%'").all()).results;

describe('POST /v1/uploads', () => {
  test.each([
    ['bare', hex(sha256(file))],
    ['with its prefix', sha256(file)],
    ['in capitals', hex(sha256(file)).toUpperCase()],
  ])('begins an upload, with the digest %s, by URLs of this edge', async (_, digest) => {
    const before = Date.now();
    const reply = await edge('POST', '/v1/uploads', {
      key: world.key,
      json: { size: file.byteLength, sha256: digest },
    });
    expect(reply.status).toBe(201);
    const begun = uploadSchema.parse(await reply.json());
    expect(begun).toMatchObject({ size: file.byteLength, sha256: sha256(file), completed_at: null });
    expect(begun.parts.map(({ size, received }) => [size, received])).toEqual([[file.byteLength, false]]);
    expect(begun.parts[0]?.url).toMatch(`https://edge.example/v1/uploads/${begun.id}/parts/1?`);
    expect(begun.complete).toMatch(`https://edge.example/v1/uploads/${begun.id}/complete?`);
    expect(Date.parse(begun.expires_at) - before).toBeGreaterThanOrEqual(DAY_MS);
    expect(Date.parse(begun.expires_at) - before).toBeLessThan(DAY_MS + 60_000);
    const { id } = await onlyKeyOf(world.key);
    expect(await audited()).toEqual([
      { tenant: 'acme', actor: `key:${id}`, action: 'upload.create', subject: begun.id },
    ]);
  });

  test.each([
    [1, [1]],
    [UPLOAD_PART_BYTES, [UPLOAD_PART_BYTES]],
    [UPLOAD_PART_BYTES + 1, [UPLOAD_PART_BYTES, 1]],
    [
      UPLOAD_MAX_BYTES,
      [...Array.from({ length: 9 }, () => UPLOAD_PART_BYTES), UPLOAD_MAX_BYTES - 9 * UPLOAD_PART_BYTES],
    ],
  ])('of %i bytes has parts of these sizes', async (size, sizes) => {
    expect((await begin(world.key, size, sha256(file))).parts.map((part) => part.size)).toEqual(sizes);
  });

  test.each([
    [{ size: UPLOAD_MAX_BYTES + 1, sha256: sha256(file) }, 413, 'too_large'],
    [{ size: 0, sha256: sha256(file) }, 400, 'invalid_request'],
    [{ size: 1.5, sha256: sha256(file) }, 400, 'invalid_request'],
    [{ size: 9 }, 400, 'invalid_request'],
    [{ size: 9, sha256: 'a'.repeat(63) }, 400, 'invalid_request'],
    [{ size: 9, sha256: `md5:${'a'.repeat(64)}` }, 400, 'invalid_request'],
    [{ size: 9, sha256: sha256(file), name: 'x' }, 400, 'invalid_request'],
  ])('%j is refused', async (json, status, code) => {
    expect(await problem(await edge('POST', '/v1/uploads', { key: world.key, json }))).toMatchObject({ status, code });
    expect(await uploadsThere()).toEqual([]);
  });

  test.each(['segment', 'adapters:write'] as const)('needs no other scope than %s', async (scope) => {
    const { key } = await makeKey('acme', [scope]);
    const { id } = await upload(key, file);
    expect((await edge('GET', `/v1/uploads/${id}`, { key })).status).toBe(200);
  });
});

describe('an upload in parts', () => {
  test('becomes one body, byte for byte, whatever the order of its parts', async () => {
    const body = new Uint8Array(UPLOAD_PART_BYTES + 10);
    for (let at = 0; at < body.byteLength; at += 4096) body[at] = (at / 4096) % 251;
    const begun = await begin(world.key, body.byteLength, sha256(body));
    expect((await put(begun.parts[1]?.url, body.subarray(UPLOAD_PART_BYTES))).status).toBe(204);
    expect((await put(begun.parts[0]?.url, body.subarray(0, UPLOAD_PART_BYTES))).status).toBe(204);
    const reply = await complete(begun.complete);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ id: begun.id, size: body.byteLength, sha256: sha256(body) });
    const kept = await env.BLOBS.get(`uploads/${begun.id}`);
    const hash = createHash('sha256');
    for await (const chunk of kept?.body ?? []) hash.update(chunk);
    expect(`sha256:${hash.digest('hex')}`).toBe(sha256(body));
  });

  test('completes once more with the same answer, and takes no parts then', async () => {
    const begun = await upload(world.key, file);
    const [first, second] = [await complete(begun.complete), await complete(begun.complete)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await first.json()).toEqual(await second.json());
    expect(await problem(await put(begun.parts[0]?.url, file))).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('completed four times at once is complete', async () => {
    const begun = await send(world.key, file);
    const replies = await Promise.all(Array.from({ length: 4 }, () => complete(begun.complete)));
    expect(replies.map((reply) => reply.status)).toEqual([200, 200, 200, 200]);
  });

  test('is not complete while parts are missing, and says which', async () => {
    const begun = await begin(world.key, 2 * UPLOAD_PART_BYTES + 9, sha256(file));
    await put(begun.parts[2]?.url, new Uint8Array(9));
    const { status, code, detail } = await problem(await complete(begun.complete));
    expect({ status, code }).toEqual({ status: 409, code: 'conflict' });
    expect(detail).toMatch(/\b1, 2\b/);
  });

  test('is taken up again where it broke off', async () => {
    const begun = await begin(world.key, UPLOAD_PART_BYTES + 9, sha256(file));
    await put(begun.parts[1]?.url, new Uint8Array(9));
    const shown = uploadSchema.parse(await (await edge('GET', `/v1/uploads/${begun.id}`, { key: world.key })).json());
    expect(shown.parts.map((part) => part.received)).toEqual([false, true]);
    expect((await put(shown.parts[1]?.url, new Uint8Array(9))).status).toBe(204);
  });

  test('a part sent again takes the place of the earlier one', async () => {
    const begun = await begin(world.key, file.byteLength, sha256(file));
    expect((await put(begun.parts[0]?.url, file.toReversed())).status).toBe(204);
    expect((await put(begun.parts[0]?.url, file)).status).toBe(204);
    expect((await complete(begun.complete)).status).toBe(200);
  });

  test('of other bytes than were promised is refused and gone', async () => {
    const begun = await begin(world.key, file.byteLength, sha256(file));
    await put(begun.parts[0]?.url, file.toReversed());
    const reply = await complete(begun.complete);
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(await uploadsThere()).toEqual([]);
    expect(await objects()).toEqual([]);
    expect((await edge('GET', `/v1/uploads/${begun.id}`, { key: world.key })).status).toBe(404);
  });

  test.each([
    ['shorter', file.slice(1), {}, 400, 'invalid_request'],
    ['longer', new Uint8Array([...file, 0]), {}, 400, 'invalid_request'],
    ['of unknown length', new Blob([new Uint8Array(file)]).stream(), {}, 411, 'length_required'],
    ['over any part', file, { 'content-length': String(UPLOAD_PART_BYTES + 1) }, 413, 'too_large'],
    [
      'that ends early',
      new Blob([file.slice(1)]).stream(),
      { 'content-length': String(file.byteLength) },
      400,
      'invalid_request',
    ],
    [
      'that does not end',
      new Blob([new Uint8Array([...file, 0])]).stream(),
      { 'content-length': String(file.byteLength) },
      400,
      'invalid_request',
    ],
  ])('a part %s is refused', async (_, body, headers: Record<string, string>, status, code) => {
    const begun = await begin(world.key, file.byteLength, sha256(file));
    expect(await problem(await put(begun.parts[0]?.url, body, { headers }))).toMatchObject({ status, code });
    expect(await problem(await complete(begun.complete))).toMatchObject({ status: 409 });
    expect((await put(begun.parts[0]?.url, file)).status).toBe(204);
    expect((await complete(begun.complete)).status).toBe(200);
  });
});

describe('the signature of a URL', () => {
  const unauthorized = { status: 401, code: 'unauthorized' };

  test('is of that step, that upload and that time', async () => {
    const [one, two] = [await begin(world.key, 9, sha256(file)), await begin(world.key, 9, sha256(file))];
    const url = new URL(one.parts[0]?.url ?? '');
    const grant = new URL(url);
    grant.searchParams.set('signature', await hmac(`v1\n${one.id}\n${url.searchParams.get('expires')}`));
    const late = new URL(url);
    late.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1));
    const bare = new URL(url);
    bare.search = '';
    const refused = [
      one.parts[0]?.url.replace('/parts/1', '/parts/2'),
      one.parts[0]?.url.replace(one.id, two.id),
      one.complete.replace('/complete', '/parts/1'),
      one.parts[0]?.url.replace(/signature=../, 'signature=00'),
      grant.href,
      late.href,
      bare.href,
    ];
    for (const wrong of refused) expect(await problem(await put(wrong, new Uint8Array(9)))).toMatchObject(unauthorized);
    const other = one.parts[0]?.url.replace('/parts/1', '/complete');
    expect(await problem(await complete(other ?? ''))).toMatchObject(unauthorized);
    expect((await put(url.href, new Uint8Array(9))).status).toBe(204);
  });

  test('stops with the key that asked, at once, and a sister key goes on', async () => {
    const { id, key } = await makeKey('acme');
    const begun = await send(key, file);
    expect((await edge('DELETE', `/v1/tenants/acme/keys/${id}`, { key: ADMIN })).status).toBe(204);
    expect(await problem(await put(begun.parts[0]?.url, file))).toMatchObject(unauthorized);
    expect(await problem(await complete(begun.complete))).toMatchObject(unauthorized);
    expect(await problem(await put(begun.parts[0]?.url, file, { key }))).toMatchObject(unauthorized);
    expect((await put(begun.parts[0]?.url, file, { key: world.key })).status).toBe(204);
    expect((await edge('POST', `/v1/uploads/${begun.id}/complete`, { key: world.key })).status).toBe(200);
  });

  test('stops when the key expires, and when the tenant goes', async () => {
    const { id, key } = await makeKey('acme', undefined, new Date(Date.now() + 60_000).toISOString());
    const begun = await begin(key, file.byteLength, sha256(file));
    await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(id).run();
    expect(await problem(await put(begun.parts[0]?.url, file))).toMatchObject(unauthorized);
    const later = await begin(world.key, file.byteLength, sha256(file));
    await edge('DELETE', '/v1/tenants/acme', { key: ADMIN });
    expect(await problem(await put(later.parts[0]?.url, file))).toMatchObject(unauthorized);
  });

  test('beside a key is nothing: the key must be of the same tenant', async () => {
    const begun = await begin(world.key, file.byteLength, sha256(file));
    expect((await put(begun.parts[0]?.url, file, { key: world.other })).status).toBe(404);
    expect((await put(begun.parts[0]?.url, file, { key: 'wrong' })).status).toBe(401);
    expect((await put(begun.parts[0]?.url, file, { key: ADMIN })).status).toBe(404);
    expect((await put(begun.parts[0]?.url, file, { key: world.key })).status).toBe(204);
  });
});

describe('DELETE /v1/uploads/{id}', () => {
  test.each([
    ['complete', upload],
    ['under way', send],
  ])('takes one away that is %s', async (_, make) => {
    const begun = await make(world.key, file);
    expect((await edge('DELETE', `/v1/uploads/${begun.id}`, { key: world.key })).status).toBe(204);
    expect(await uploadsThere()).toEqual([]);
    expect(await objects()).toEqual([]);
    expect((await env.DB.prepare('SELECT * FROM upload_remains').all()).results).toEqual([]);
    await expect(
      env.BLOBS.resumeMultipartUpload(`uploads/${begun.id}`, begun.multipart).uploadPart(1, file),
    ).rejects.toThrow(/does not exist/);
    expect((await audited()).map((line) => line['action'])).toEqual(['upload.create', 'upload.delete']);
    expect((await edge('DELETE', `/v1/uploads/${begun.id}`, { key: world.key })).status).toBe(404);
  });

  test('is refused while a job reads it', async () => {
    const { id } = await upload(world.key, file);
    await jobThatReads(id, 'running');
    const remove = () => edge('DELETE', `/v1/uploads/${id}`, { key: world.key });
    expect(await problem(await remove())).toMatchObject({ status: 409, code: 'in_use' });
    expect(await objects()).toEqual([`uploads/${id}`]);
    await env.DB.prepare("UPDATE jobs SET status = 'succeeded'").run();
    expect((await remove()).status).toBe(204);
  });
});

const make = (id: string, key = world.key, name = 'tumour') =>
  edge('POST', `/v1/adapters/${encodeURIComponent(name)}/versions`, { key, json: { upload: id } });
describe('a version of an upload', () => {
  test('is the version of its file, and the upload is used up', async () => {
    const { id } = await upload(world.key, file);
    const reply = await make(id);
    expect(reply.status).toBe(201);
    expect(await reply.json()).toEqual({
      adapter: 'acme/tumour',
      version: 1,
      digest: sha256(file),
      status: 'verifying',
    });
    const got = await edge('GET', '/v1/adapters/tumour/file', { key: world.key });
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(file);
    expect(await (await edge('GET', '/v1/adapters/tumour', { key: world.key })).json()).toMatchObject({
      status: 'ready',
    });
    expect(await uploadsThere()).toEqual([]);
    expect(await objects()).toEqual([]);
  });

  test('of the same bytes is the same version', async () => {
    await make((await upload(world.key, file)).id);
    const reply = await make((await upload(world.key, file)).id);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ version: 1 });
  });

  test('that breaks the rules is refused, and the upload stays', async () => {
    const { id } = await upload(world.key, file.slice(0, -1));
    expect(await problem(await make(id))).toMatchObject({ status: 422, code: 'invalid_adapter' });
    expect(await objects()).toEqual([`uploads/${id}`]);
    expect((await env.DB.prepare('SELECT count(*) n FROM files').first())?.['n']).toBe(1);
  });

  test('needs a complete upload of its own', async () => {
    const begun = await send(world.key, file);
    expect(await problem(await make(begun.id))).toMatchObject({ status: 409, code: 'conflict' });
    await complete(begun.complete);
    expect(await problem(await make(begun.id, world.other))).toMatchObject({ status: 404, code: 'not_found' });
    expect(await problem(await make(begun.id, ADMIN, 'acme/tumour'))).toMatchObject({ status: 404 });
    expect(await problem(await make('nothing'))).toMatchObject({ status: 404, code: 'not_found' });
    expect((await make(begun.id)).status).toBe(201);
  });

  test.each([{}, { upload: 3 }, { upload: 'x', more: 1 }, [], 'x'])('of %j is refused', async (json) => {
    const reply = await edge('POST', '/v1/adapters/tumour/versions', { key: world.key, json });
    expect(await problem(reply)).toMatchObject({ status: 400, code: 'invalid_request' });
  });
});

describe("the operator's uploads", () => {
  test('make a base, and are seen by no tenant', async () => {
    await env.DB.batch([env.DB.prepare('DELETE FROM bases'), env.DB.prepare('DELETE FROM files')]);
    const { id } = await upload(ADMIN, BASE_FILE);
    expect((await edge('GET', `/v1/uploads/${id}`, { key: world.key })).status).toBe(404);
    const reply = await edge('POST', '/v1/bases', { key: ADMIN, json: { upload: id } });
    expect(reply.status).toBe(201);
    expect(await reply.json()).toMatchObject({ digest: BASE_DIGEST, status: 'ready' });
    expect(await uploadsThere()).toEqual([]);
  });

  test('make versions for tenants', async () => {
    const { id } = await upload(ADMIN, file);
    const json = { upload: id };
    expect((await edge('POST', '/v1/adapters/acme%2Ftumour/versions', { key: ADMIN, json })).status).toBe(201);
  });
});

const at = (ms: number) => keepHouse({ ...portsOf(env, createExecutionContext()), now: () => Date.now() + ms });
describe('housekeeping', () => {
  test('takes away what ran out, complete or not, and nothing before', async () => {
    const [whole, part] = [await upload(world.key, file), await send(world.key, file)];
    await at(DAY_MS - 60_000);
    expect(new Set(await uploadsThere())).toEqual(new Set([whole.id, part.id]));
    await at(DAY_MS + 60_000);
    expect(await uploadsThere()).toEqual([]);
    expect(await objects()).toEqual([]);
    await expect(
      env.BLOBS.resumeMultipartUpload(`uploads/${part.id}`, part.multipart).uploadPart(1, file),
    ).rejects.toThrow(/does not exist/);
  });

  test('leaves what a job reads that has not ended', async () => {
    const { id } = await upload(world.key, file);
    await jobThatReads(id, 'queued');
    await at(3 * DAY_MS);
    expect(await objects()).toEqual([`uploads/${id}`]);
    await env.DB.prepare("UPDATE jobs SET status = 'cancelled'").run();
    await at(3 * DAY_MS);
    expect(await objects()).toEqual([]);
  });

  test('takes the bytes away of a tenant that is gone', async () => {
    await upload(world.key, file);
    await env.DB.prepare("DELETE FROM tenants WHERE id = 'acme'").run();
    expect(await objects()).toHaveLength(1);
    await at(0);
    expect(await objects()).toEqual([]);
    expect((await env.DB.prepare('SELECT * FROM upload_remains').all()).results).toEqual([]);
  });
});

async function onlyKeyOf(key: string): Promise<{ id: string }> {
  const { data } = await (await edge('GET', '/v1/tenants/acme/keys', { key })).json<{ data: { id: string }[] }>();
  const [first] = data;
  if (first === undefined || data.length > 1) throw new Error('expected the one key of acme');
  return first;
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function hmac(message: string): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes(env.GRANT_SECRET), algorithm, false, ['sign']);
  return Buffer.from(await crypto.subtle.sign('HMAC', key, bytes(message))).toString('hex');
}
