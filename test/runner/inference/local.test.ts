import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../../../gpu-runner/local.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

describe('a local engine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-test-'));
  let model: SmallModel;
  let engine: Engine;

  beforeAll(async () => {
    model = await smallModel();
    writeFileSync(join(folder, 'base.safetensors'), model.base.bytes);
    engine = await openEngine({ basePath: join(folder, 'base.safetensors'), threads: 2 });
  });

  afterAll(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });

  it('segments files by an adapter, tells its progress and leaves the files alone', async () => {
    const adapter = await model.adapter();
    const bytes = await noiseVolume([40, 20, 30]);
    const progress: [number, number][] = [];
    const onProgress = (done: number, total: number) => progress.push([done, total]);
    const images = [{ channel: 'T1', bytes }];
    const result = await engine.segment({ images, adapter: adapter.bytes, onProgress });
    expect(result).toMatchObject({ adapterDigest: adapter.digest, baseDigest: model.base.baseDigest });
    expect(progress).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const nii = gunzipSync(result.body);
    expect([nii.readInt16LE(42), nii.readInt16LE(44), nii.readInt16LE(46)]).toEqual([40, 20, 30]);
    expect(gunzipSync(bytes).length).toBeGreaterThan(4 * 40 * 20 * 30);
  });

  it('runs the base with its own head', async () => {
    const images = [{ channel: null, bytes: await noiseVolume([8, 8, 8]) }];
    expect(await engine.segment({ images })).toMatchObject({ adapterDigest: null, baseDigest: model.base.baseDigest });
  });

  it('checks an adapter by every rule: none broken, the self-test, the container', async () => {
    const adapter = await model.adapter();
    expect(await engine.check(adapter.bytes)).toEqual([]);
    const positions = Array.from({ length: 18 }, (_, n) => (n % 3) * 65_536 + n);
    const selftest = { roi_size: [32, 32, 64], positions, expected: positions.map(() => 50) };
    const lying = await model.adapter({ selftest });
    expect((await engine.check(lying.bytes)).map(({ code }) => code)).toEqual(['selftest']);
    expect((await engine.check(Uint8Array.of(1, 2, 3))).map(({ code }) => code)).toEqual(['container']);
  });

  it('stops where it is told to, and runs again', async () => {
    const images = [{ channel: null, bytes: await noiseVolume([96, 96, 96]) }];
    const stop = new AbortController();
    const onProgress = () => stop.abort(new ServiceError('cancelled', 'enough'));
    await expect(engine.segment({ images, onProgress, signal: stop.signal })).rejects.toThrow('enough');
    await engine.segment({ images: [{ channel: null, bytes: await noiseVolume([8, 8, 8]) }] });
  });

  it('does not open a base that is not valid', async () => {
    writeFileSync(join(folder, 'broken.safetensors'), model.base.bytes.subarray(0, 4_000));
    await expect(openEngine({ basePath: join(folder, 'broken.safetensors') })).rejects.toMatchObject({
      code: 'invalid_base',
    });
  });
});
