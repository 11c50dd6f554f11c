import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callHeaders, problemOf, RUNNER_TOKEN, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

describe('POST /segment', () => {
  let test: TestRunner;
  let model: SmallModel;
  let adapter: ModelFile;
  let volume: Uint8Array<ArrayBuffer>;

  beforeAll(async () => {
    [test, model] = await Promise.all([startTestRunner(), smallModel()]);
    adapter = await model.adapter();
    test.edge.put(model.base);
    test.edge.put(adapter);
    volume = new Uint8Array(await noiseVolume([20, 30, 50]));
  });

  afterAll(async () => await test.close());

  const post = (headers: Record<string, string>, body: RequestInit['body'] = volume) =>
    fetch(new URL('/segment', test.url), { method: 'POST', headers, body });

  it('answers a label map on the grid of the input, with all it promises', async () => {
    const reply = await post({ ...callHeaders(model.base, adapter), 'x-request-id': 'mine' });
    const body = new Uint8Array(await reply.arrayBuffer());
    expect(reply.status).toBe(200);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'content-type': 'application/gzip',
      'content-length': String(body.byteLength),
      'x-adapter-digest': adapter.digest,
      'x-base-digest': model.base.baseDigest,
      'x-adapter-cache': 'cold',
      'x-voxels': String(20 * 30 * 50),
      'x-request-id': 'mine',
    });
    expect(reply.headers.has('content-encoding')).toBe(false);
    expect(reply.headers.get('server-timing')).toMatch(
      /^queue;dur=[\d.]+, fetch;dur=[\d.]+, decode;dur=[\d.]+, preprocess;dur=[\d.]+, fuse;dur=[\d.]+, infer;dur=[\d.]+, postprocess;dur=[\d.]+, encode;dur=[\d.]+$/,
    );
    // RFC 1952: bytes 4 to 7 are the modification time.
    expect([...body.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
    const nii = gunzipSync(body);
    expect([nii.readInt16LE(42), nii.readInt16LE(44), nii.readInt16LE(46)]).toEqual([20, 30, 50]);
    expect([nii.readInt16LE(68), nii.readInt16LE(70)]).toEqual([1002, 2]);
    const voxels = nii.subarray(nii.readFloatLE(108));
    expect(voxels.length).toBe(20 * 30 * 50);
    expect([...new Set(voxels)].every((label) => label <= 2)).toBe(true);
    const size = nii.readInt32LE(352);
    const extension: unknown = JSON.parse(nii.toString('utf8', 360, 352 + size).replace(/\0+$/, ''));
    expect(extension).toMatchObject({ adapter: adapter.digest, base: model.base.baseDigest });
    expect(extension).toHaveProperty('labels[2]', { value: 2, name: 'right' });
  });

  it('finds the adapter hot the second time and answers the same bytes', async () => {
    const first = await post(callHeaders(model.base, adapter));
    const second = await post(callHeaders(model.base, adapter));
    expect(second.headers.get('x-adapter-cache')).toBe('hot');
    expect(Buffer.from(await second.arrayBuffer()).equals(Buffer.from(await first.arrayBuffer()))).toBe(true);
  });

  it('runs the base with its own head where no adapter is named', async () => {
    const reply = await post(callHeaders(model.base, null));
    expect(reply.status).toBe(200);
    expect(reply.headers.has('x-adapter-digest')).toBe(false);
    const nii = gunzipSync(await reply.arrayBuffer());
    expect(nii.toString('utf8', 360, 352 + nii.readInt32LE(352))).toContain('"adapter":null');
  });

  it('answers probabilities that add up to one', async () => {
    const reply = await post({ ...callHeaders(model.base, adapter), 'x-output': 'probabilities' });
    const nii = gunzipSync(await reply.arrayBuffer());
    expect([nii.readInt16LE(40), nii.readInt16LE(48), nii.readInt16LE(68), nii.readInt16LE(70)]).toEqual([4, 3, 0, 16]);
    const at = nii.readFloatLE(108);
    const voxels = 20 * 30 * 50;
    for (const n of [0, 777, voxels - 1]) {
      const sum = [0, 1, 2].reduce((total, c) => total + nii.readFloatLE(at + 4 * (c * voxels + n)), 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  it('takes a part named by the channel, whatever its file name', async () => {
    const form = new FormData();
    form.append('T1', new Blob([volume]), 'Doe^John.nii.gz');
    const reply = await post(callHeaders(model.base, adapter), form);
    expect(reply.status).toBe(200);
    await reply.arrayBuffer();
    expect(test.logged.join('')).not.toContain('Doe');
  });

  it('tells how far a run is, and how it ended', async () => {
    const headers = callHeaders(model.base, adapter);
    await (await post(headers)).arrayBuffer();
    const authorization = `Bearer ${RUNNER_TOKEN}`;
    const state = await fetch(new URL(`/runs/${headers['x-run-id']}`, test.url), { headers: { authorization } });
    expect(await state.json()).toEqual({
      run: headers['x-run-id'],
      status: 'succeeded',
      progress: 1,
      windows: { done: 1, total: 1 },
    });
    const ended = await fetch(new URL(`/runs/${headers['x-run-id']}`, test.url), {
      method: 'DELETE',
      headers: { authorization },
    });
    expect(ended.status).toBe(204);
    const unknown = await fetch(new URL('/runs/unknown', test.url), { headers: { authorization } });
    expect(await problemOf(unknown)).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('counts what it did, without a word about who', async () => {
    await (await post(callHeaders(model.base, adapter))).arrayBuffer();
    const text = await (await fetch(new URL('/metrics', test.url))).text();
    expect(text).toMatch(/pdora_runner_requests_total\{route="\/segment",code="ok"\} [1-9]/);
    expect(text).toMatch(/pdora_runner_windows_total [1-9]/);
    expect(text).toMatch(/pdora_runner_queue_length 0/);
    expect(text).toMatch(/pdora_runner_phase_duration_seconds_count\{phase="infer"\} [1-9]/);
    expect(text).toMatch(/pdora_runner_models_total\{tier="hot"\} [1-9]/);
    expect(text).not.toContain('hospital');
  });
});
