import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uploadSchema } from '../../schemas/api-uploads.ts';
import { noiseVolume, smallModel } from '../support/small-model.ts';
import { endOf, readJob, resultOf } from './support/jobs.ts';
import { labelMap, pushReady, serveBase } from './support/small-system.ts';
import { type System, startSystem } from './support/system.ts';

const CHANNELS = ['FLAIR', 'T1 c'] as const;
const DONE_WITHIN_MS = 120_000;

let system: System;
let key: string;
let volumes: Uint8Array[];

beforeAll(async () => {
  const model = await smallModel(CHANNELS);
  system = await startSystem();
  await serveBase(system, model);
  key = await system.makeTenant('hospital');
  await pushReady(system, key, 'glioma', (await model.adapter()).bytes);
  volumes = [await noiseVolume([24, 28, 40], 1), await noiseVolume([24, 28, 40], 2)];
});
afterAll(() => system.close());

async function upload(body: Uint8Array): Promise<string> {
  const sha256 = createHash('sha256').update(body).digest('hex');
  const begun = await system.edge.call('POST', '/v1/uploads', { key, json: { size: body.byteLength, sha256 } });
  const { id, parts, complete } = uploadSchema.parse(await begun.json());
  for (const { url } of parts) expect((await fetch(url, { method: 'PUT', body: Buffer.from(body) })).status).toBe(204);
  expect((await fetch(complete, { method: 'POST' })).status).toBe(200);
  return id;
}

function formOf(order: readonly number[]): FormData {
  const form = new FormData();
  for (const n of order) form.set(CHANNELS[n] ?? '', new Blob([Buffer.from(volumes[n] ?? [])]), 'volume.nii.gz');
  return form;
}

test('channels by uploads, by multipart later and by multipart now give the same label map', async () => {
  const segment = (headers: Record<string, string>, body: FormData) =>
    system.edge.call('POST', '/v1/segmentations?adapter=glioma', { key, headers, body });
  const wanted = await labelMap(await segment({}, formOf([0, 1])));
  // The volumes differ, and so does what is made of them the other way round.
  const swapped = new FormData();
  swapped.set(CHANNELS[0], new Blob([Buffer.from(volumes[1] ?? [])]));
  swapped.set(CHANNELS[1], new Blob([Buffer.from(volumes[0] ?? [])]));
  expect((await labelMap(await segment({}, swapped))).equals(wanted)).toBe(false);

  const inputs: Record<string, string> = {};
  for (const n of [1, 0]) inputs[CHANNELS[n] ?? ''] = await upload(volumes[n] ?? new Uint8Array());
  const byUploads = await system.edge.call('POST', '/v1/segmentations?adapter=glioma', { key, json: { inputs } });
  const byForm = await segment({ prefer: 'respond-async' }, formOf([1, 0]));
  for (const reply of [byUploads, byForm]) {
    expect(reply.status).toBe(202);
    const at = reply.headers.get('location') ?? '';
    const id = at.slice('/v1/segmentations/'.length);
    await endOf(system.edge, key, id, Date.now() + DONE_WITHIN_MS);
    const job = await readJob(system.edge, key, id);
    expect(job).toMatchObject({ status: 'succeeded', problem: null, voxels: 24 * 28 * 40 });
    expect((await resultOf(system.edge, key, id)).equals(wanted)).toBe(true);
  }
});

test('cancelling reaches the runner, which is free for the next at once', async () => {
  const large = new FormData();
  const volume = Buffer.from(await noiseVolume([160, 160, 160]));
  for (const channel of CHANNELS) large.set(channel, new Blob([volume]));
  const call = { key, headers: { prefer: 'respond-async' }, body: large };
  const reply = await system.edge.call('POST', '/v1/segmentations?adapter=glioma', call);
  const id = (reply.headers.get('location') ?? '').slice('/v1/segmentations/'.length);
  const progress = async () => (await readJob(system.edge, key, id)).progress;
  await expect.poll(progress, { timeout: 60_000, interval: 500 }).toBeGreaterThan(0);
  const seen = await progress();
  expect(seen).toBeLessThan(1);
  expect((await system.edge.call('DELETE', `/v1/segmentations/${id}`, { key })).status).toBe(202);
  const queue = async () => (await fetch(new URL('/readyz', system.runner().url))).text();
  await expect.poll(queue, { timeout: 10_000, interval: 100 }).toContain('"queue":0');
  expect((await readJob(system.edge, key, id)).status).toBe('cancelled');
});
