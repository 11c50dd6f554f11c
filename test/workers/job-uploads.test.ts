import { env } from 'cloudflare:workers';
import { beforeEach, expect, test } from 'vitest';
import { deliver, edge, problem } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { objects, shown, submit, submitted, VOLUME } from './support/jobs.ts';
import { begin, upload } from './support/uploads.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
/** Of the tiny base. */
const CHANNEL = 'T1';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  world.runner.calls.length = 0;
});

const named = (inputs: unknown) => submit(world.key, 'adapter=tumour', { json: { inputs }, headers: {} });

test('a volume that was uploaded before is segmented, and may be again', async () => {
  const { id } = await upload(world.key, VOLUME);
  const job = await submitted(world.key, 'adapter=tumour', { json: { inputs: { [CHANNEL]: id } } });
  const again = await submitted(world.key, 'adapter=tumour', { json: { inputs: { [CHANNEL]: id } } });
  expect(await problem(await edge('DELETE', `/v1/uploads/${id}`, { key: world.key }))).toMatchObject({
    status: 409,
    code: 'in_use',
  });
  await deliver();
  expect(world.runner.calls.map(({ body }) => body)).toEqual([VOLUME, VOLUME]);
  for (const one of [job, again]) expect((await shown(world.key, one)).status).toBe('succeeded');
  // It is the caller's until it expires.
  expect(await objects('uploads/')).toEqual([`uploads/${id}`]);
  expect(await objects('inputs/')).toEqual([]);
  expect((await edge('DELETE', `/v1/uploads/${id}`, { key: world.key })).status).toBe(204);
});

test.each([
  ['a channel that the adapter does not have', { T2: 'x' }, 422, 'channel_mismatch'],
  ['a channel too many', { [CHANNEL]: 'x', T2: 'x' }, 422, 'channel_mismatch'],
  ['an upload that is not there', { [CHANNEL]: 'x' }, 404, 'not_found'],
  ['no channel', {}, 400, 'invalid_request'],
  ['no object', [], 400, 'invalid_request'],
  ['a number', { [CHANNEL]: 1 }, 400, 'invalid_request'],
])('%s is refused', async (_, inputs, status, code) => {
  expect(await problem(await named(inputs))).toMatchObject({ status, code });
  expect(await env.DB.prepare('SELECT count(*) AS n FROM jobs').first()).toEqual({ n: 0 });
});

test('an upload that is not complete is a conflict, and another tenant’s is not there', async () => {
  const { id } = await begin(world.key, VOLUME.byteLength, sha256(VOLUME));
  expect(await problem(await named({ [CHANNEL]: id }))).toMatchObject({ status: 409, code: 'conflict' });
  const { id: theirs } = await upload(world.other, VOLUME);
  expect(await problem(await named({ [CHANNEL]: theirs }))).toMatchObject({ status: 404, code: 'not_found' });
});

test('a job whose upload is gone says so, and is not tried for ever', async () => {
  const { id } = await upload(world.key, VOLUME);
  const job = await submitted(world.key, 'adapter=tumour', { json: { inputs: { [CHANNEL]: id } } });
  await env.BLOBS.delete(`uploads/${id}`);
  await deliver();
  expect(await shown(world.key, job)).toMatchObject({ status: 'failed', problem: { code: 'expired' } });
});
