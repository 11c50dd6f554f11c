import { beforeEach, describe, expect, test } from 'vitest';
import { baseSchema } from '../../schemas/api.ts';
import { randomBaseTensors, tinyArchitecture, tinyBaseManifest, writeBase } from '../support/safetensors-file.ts';
import { ADMIN, edge, freshState, makeKey, makeTenant, problem, stored } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, BASE_FILE, hex, push, reprDigest, sha256 } from './support/files.ts';
import { verified } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
let key: string;

beforeEach(async () => {
  await freshState();
  await makeTenant('acme');
  ({ key } = await makeKey('acme'));
});

const post = (body: Uint8Array = BASE_FILE, headers: Record<string, string> = {}) =>
  edge('POST', '/v1/bases', { key: ADMIN, body, headers });

async function expectNothingKept(): Promise<void> {
  expect(await stored()).toEqual({
    blobs: [],
    rows: { files: 0, file_holds: 0, bases: 0, adapters: 0, versions: 0, aliases: 0, grants: 0 },
  });
}

test.each([
  ['without', {}],
  ['with', { 'repr-digest': reprDigest(BASE_FILE) }],
])('a base %s Repr-Digest is verified by a runner and then served', async (_, headers) => {
  const reply = await post(BASE_FILE, headers);
  expect(reply.status).toBe(201);
  const served = baseSchema.parse(await reply.json());
  expect(served).toMatchObject({
    name: 'tiny',
    digest: BASE_DIGEST,
    size: BASE_FILE.byteLength,
    architecture: tinyArchitecture(),
  });
  expect(served.labels.map((label) => label.name)).toEqual(['background', 'foreground']);
  const asked = world.runner.calls[0]?.headers;
  expect(asked?.get('x-base-digest')).toBe(BASE_DIGEST);
  expect(asked?.get('x-base-file')).toBe(sha256(BASE_FILE));
  expect(asked?.has('x-adapter-digest')).toBe(false);
  expect((await stored()).blobs).toEqual([`blobs/${hex(sha256(BASE_FILE))}`]);
  const list = await edge('GET', '/v1/bases', { key });
  expect(await list.json()).toEqual({ data: [served], next_cursor: null });
  expect((await push(key, 'tumour', adapterFile())).status).toBe(201);
});

test('the same base again stays as it is, also from another container', async () => {
  await post();
  expect((await post()).status).toBe(200);
  const resaved = writeBase(tinyBaseManifest(), randomBaseTensors(tinyArchitecture()).toReversed());
  expect(sha256(resaved)).not.toBe(sha256(BASE_FILE));
  const again = await post(resaved);
  expect(again.status).toBe(200);
  expect(await again.json()).toMatchObject({ digest: BASE_DIGEST });
  const { blobs, rows } = await stored();
  expect(blobs).toEqual([`blobs/${hex(sha256(BASE_FILE))}`]);
  expect(rows).toMatchObject({ files: 1, file_holds: 0, bases: 1 });
  expect(world.runner.calls).toHaveLength(1);
});

test('the same base four times at once is served once', async () => {
  const statuses = (await Promise.all([post(), post(), post(), post()])).map((reply) => reply.status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, 201]);
  expect((await stored()).rows).toMatchObject({ files: 1, file_holds: 0, bases: 1 });
});

test('a base that a runner finds wrong is not kept', async () => {
  const wrong = { code: 'not_finite', path: 'out.conv.conv.bias', message: 'expected finite values, found NaN at 0' };
  world.runner.verify = (headers) => verified(headers, [wrong]);
  const { status, code, problems } = await problem(await post());
  expect({ status, code, problems }).toEqual({ status: 422, code: 'invalid_base', problems: [wrong] });
  await expectNothingKept();
});

describe('a base that is not verified is not kept', () => {
  test('where no runner is', async () => {
    world.runner.down = true;
    expect(await problem(await post())).toMatchObject({ status: 503, code: 'runner_unavailable' });
    await expectNothingKept();
  });

  test('where the runner verified something else', async () => {
    world.runner.verify = () => Response.json({ digest: `sha256:${'0'.repeat(64)}`, problems: [] });
    expect(await problem(await post())).toMatchObject({ status: 502, code: 'bad_runner_reply' });
    await expectNothingKept();
  });
});

test.each([
  ['nothing', new Uint8Array(0), 'container'],
  ['a truncated file', BASE_FILE.slice(0, -1), 'container'],
  ['an adapter', adapterFile(), 'manifest'],
  ['a base without a tensor', writeBase(tinyBaseManifest(), randomBaseTensors(tinyArchitecture()).slice(1)), 'tensors'],
])('%s is no base, and nothing of it is stored or shown to a runner', async (_, bytes, expected) => {
  const { status, code, problems } = await problem(await post(bytes));
  expect({ status, code }).toEqual({ status: 422, code: 'invalid_base' });
  expect(problems?.map((found) => found.code)).toContain(expected);
  expect(world.runner.calls).toEqual([]);
  await expectNothingKept();
});
