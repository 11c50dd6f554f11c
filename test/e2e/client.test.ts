import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { committedTypes, typesOf } from '../../client/generate.ts';
import { ApiError, type Client, createClient, JobError, RejectedError, UnreachableError } from '../../client/index.ts';
import { uploadInParts } from '../../client/uploads.ts';
import { SMALL_WINDOW } from '../support/network.ts';
import { selftestOf } from '../support/safetensors-file.ts';
import { noiseVolume } from '../support/small-model.ts';
import { type SmallSystem, startSmallSystem } from './support/small-system.ts';

/** The TypeScript client against the built Worker and a real runner. */

let system: SmallSystem;
let client: Client;
let volume: Blob;
let labels: Buffer;
beforeAll(async () => {
  system = await startSmallSystem();
  client = createClient({ url: system.edge.url.href, key: system.key });
  volume = new Blob([new Uint8Array(await noiseVolume([24, 28, 40]))]);
  labels = await system.goodLabels();
});
afterAll(async () => {
  await system.close();
});

const bytesOf = async (file: Blob) => Buffer.from(await file.arrayBuffer());

test('its types are those of the document', async () => {
  const document = await (await system.edge.call('GET', '/openapi.json', { key: null })).text();
  expect(await committedTypes()).toBe(await typesOf(document));
});

describe('segmenting', () => {
  test('a blob, bytes, a stream and a named channel answer the service’s own file', async () => {
    const bytes = new Uint8Array(await volume.arrayBuffer());
    for (const input of [volume, bytes, { stream: volume.stream(), size: volume.size }, { T1: volume }]) {
      const made = await client.segment('good', input, { report: true });
      expect((await bytesOf(made.file)).equals(labels)).toBe(true);
      expect(made).toMatchObject({ adapter: 'hospital/good', version: 1 });
      expect(made.baseDigest).toBe(system.model.base.baseDigest);
      expect(made.timing['infer']).toBeGreaterThan(0);
      const voxels = made.report?.labels.reduce((sum, label) => sum + label.voxels, 0) ?? 0;
      expect(voxels).toBeGreaterThan(0);
    }
  });

  test('later is the same, with its progress and its report', async () => {
    const id = await client.submit('good', volume, { idempotencyKey: 'case-17' });
    expect(await client.submit('good', volume, { idempotencyKey: 'case-17' })).toBe(id);
    const seen: string[] = [];
    const job = await client.wait(id, { onProgress: ({ status }) => seen.push(status) });
    expect(job.voxels).toBe(24 * 28 * 40);
    expect(seen.at(-1)).toBe('succeeded');
    expect((await bytesOf((await client.result(id)).file)).equals(labels)).toBe(true);
    expect((await client.report(id)).adapter_digest).toBe(job.adapter_digest);
  });

  test('an upload in parts stands for the volume', async () => {
    const upload = await uploadInParts(client.api, volume);
    const query = { adapter: 'good' };
    const { data } = await client.api.POST('/v1/segmentations', {
      params: { query },
      body: { inputs: { T1: upload } },
    });
    const id = data !== undefined && 'id' in data ? data.id : '';
    await client.wait(id);
    expect((await bytesOf((await client.result(id)).file)).equals(labels)).toBe(true);
  });

  test('what comes to nothing is an exception with the code', async () => {
    await expect(client.segment('absent', volume)).rejects.toMatchObject({ code: 'not_found', status: 404 });
    await expect(client.segment('good', { T2: volume })).rejects.toMatchObject({ code: 'channel_mismatch' });
    const error: unknown = await client.segment('good', new Blob(['no volume'])).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'invalid_volume',
      status: 422,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const id = await client.submit('good', new Blob(['no volume']));
    const failed: unknown = await client.wait(id).catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(JobError);
    expect(failed).toMatchObject({ code: 'invalid_volume' });
    const stranger = createClient({ url: system.edge.url.href, key: 'nobody' });
    await expect(stranger.api.GET('/v1/adapters')).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(createClient({ url: 'http://127.0.0.1:9', key: 'k' }).segment('a', volume)).rejects.toBeInstanceOf(
      UnreachableError,
    );
  });

  test('is given up with its signal', async () => {
    await expect(client.segment('good', volume, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    const id = await client.submit('good', new Blob([new Uint8Array(await noiseVolume([400, 28, 40]))]));
    await expect(client.wait(id, { signal: AbortSignal.timeout(400) })).rejects.toThrow('timeout');
    await client.api.DELETE('/v1/segmentations/{id}', { params: { path: { id } } });
    await expect(client.wait(id)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('pushing', () => {
  test('answers the version when it is ready, the same for the same bytes', async () => {
    const { bytes } = await system.model.adapter({ description: 'another' });
    const file = new Blob([new Uint8Array(bytes)]);
    const version = await client.push('mine', file);
    expect(version).toMatchObject({ adapter: 'hospital/mine', version: 1, status: 'ready' });
    expect(await client.push('mine', file)).toEqual(version);
  });

  test('says what is wrong with a file, by the service and by a runner', async () => {
    const error: unknown = await client.push('mine', new Blob(['no adapter'])).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'invalid_adapter', problems: [{ code: 'container' }] });
    const { bytes } = await system.model.adapter({ selftest: selftestOf(3, SMALL_WINDOW) });
    const rejected: unknown = await client
      .push('mine', new Blob([new Uint8Array(bytes)]))
      .catch((thrown: unknown) => thrown);
    expect(rejected).toBeInstanceOf(RejectedError);
    expect(rejected).toMatchObject({ problems: [{ code: 'selftest' }] });
  });
});
