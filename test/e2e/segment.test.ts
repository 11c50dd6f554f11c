import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import type { Image } from '../../gpu-runner/volume/read-image.ts';
import { baseSchema, problemSchema } from '../../schemas/api.ts';
import { describeShared, sharedPath } from '../support/shared.ts';
import { patchManifest, patchTensor } from './support/damage.ts';
import { type System, startSystem, verified } from './support/system.ts';

const fixture = (...parts: string[]) => readFile(sharedPath('fixtures', 'parity', ...parts));
const p1 = (name: string) => fixture('p1-legacy-f12', name);
const p2 = (name: string) => fixture('p2-fixed-f12-2ch', name);

async function imageOf(reply: Response): Promise<Image> {
  expect(reply.status).toBe(200);
  return readNifti(new Uint8Array(await reply.arrayBuffer()));
}

function share(of: Image, like: Image, same: (a: number, b: number) => boolean): number {
  expect(of.volume.shape).toEqual(like.volume.shape);
  expect([...of.volume.affine]).toEqual([...like.volume.affine]);
  const data = Float32Array.from(like.volume.data);
  return (
    data.reduce((count, value, i) => count + (same(value, of.volume.data[i] ?? Number.NaN) ? 1 : 0), 0) / data.length
  );
}

const equal = (a: number, b: number) => a === b;

describeShared('segmentation by adapter ID through the built Worker and a real runner', () => {
  let system: System;
  let clinic: string;
  let lab: string;
  let volume: Buffer;
  let twoChannels: () => FormData;

  const segment = (key: string, query: string, body: Uint8Array | FormData = volume) =>
    system.edge.call('POST', `/v1/segmentations?${query}`, { key, body });

  async function expectServing(): Promise<void> {
    const labels = await imageOf(await segment(clinic, 'adapter=task'));
    expect(share(labels, await readNifti(await p1('labels-hippocampus.nii.gz')), equal)).toBeGreaterThanOrEqual(0.999);
  }

  beforeAll(async () => {
    system = await startSystem();
    clinic = await system.makeTenant('clinic');
    lab = await system.makeTenant('lab');
    volume = await p1('input.nii.gz');
    const [flair, t1c] = await Promise.all([p2('input-flair.nii.gz'), p2('input-t1c.nii.gz')]);
    twoChannels = () => {
      const form = new FormData();
      form.append('T1c', new Blob([t1c]), 'b.nii.gz');
      form.append('FLAIR', new Blob([flair]), 'a.nii.gz');
      return form;
    };
    for (const file of [p1, p2]) {
      const reply = await system.edge.call('POST', '/v1/bases', { body: await file('base.safetensors') });
      expect(reply.status).toBe(201);
      const expected = JSON.parse(String(await file('expected.json')));
      expect(baseSchema.parse(await reply.json()).digest).toBe(expected.base.digest);
    }
    const [hippocampus, regions] = [
      await p1('adapter-hippocampus.safetensors'),
      await p2('adapter-regions.safetensors'),
    ];
    expect(await system.push(clinic, 'task', hippocampus)).toMatchObject({ version: 1, status: 'ready', problems: [] });
    expect(await system.push(lab, 'task', regions)).toMatchObject({ version: 1, status: 'ready', problems: [] });
  });
  afterAll(() => system.close());

  test("a tenant's adapter gives MONAI's label map, and says what made it", async () => {
    const reply = await segment(clinic, 'adapter=task');
    const shown = JSON.parse(await (await system.edge.call('GET', '/v1/adapters/task', { key: clinic })).text());
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'content-type': 'application/gzip',
      'x-adapter-id': 'clinic/task',
      'x-adapter-version': '1',
      'x-adapter-digest': shown.digest,
      'x-base-digest': shown.base,
      'x-adapter-cache': 'hot',
    });
    const phases = reply.headers
      .get('server-timing')
      ?.split(',')
      .map((phase) => phase.trim().split(';')[0]);
    expect(phases).toEqual(['queue', 'fetch', 'decode', 'preprocess', 'fuse', 'infer', 'postprocess', 'encode']);
    const labels = await imageOf(reply);
    expect(share(labels, await readNifti(await p1('labels-hippocampus.nii.gz')), equal)).toBeGreaterThanOrEqual(0.999);
  });

  test('another tenant with an adapter of the same name gets its own', async () => {
    const reply = await segment(lab, 'adapter=task', twoChannels());
    expect(reply.headers.get('x-adapter-id')).toBe('lab/task');
    const labels = await imageOf(reply);
    expect(share(labels, await readNifti(await p2('labels-regions.nii.gz')), equal)).toBeGreaterThanOrEqual(0.999);
    for (const [key, ref] of [
      [lab, 'clinic/task'],
      [clinic, 'lab/task'],
    ] as const) {
      const refused = await segment(key, `adapter=${ref}`);
      expect(problemSchema.parse(await refused.json())).toMatchObject({ status: 404, code: 'not_found' });
    }
  });

  test('__base__ is the first base with its own head', async () => {
    const reply = await segment(lab, 'adapter=__base__');
    expect(reply.headers.get('x-adapter-id')).toBe('__base__');
    const labels = await imageOf(reply);
    expect(share(labels, await readNifti(await p1('labels-base.nii.gz')), equal)).toBeGreaterThanOrEqual(0.999);
  });

  test("probabilities are MONAI's", async () => {
    const reply = await segment(clinic, 'adapter=task&output=probabilities');
    expect(reply.status).toBe(200);
    const [got, want] = await Promise.all([
      rawFloats(await reply.arrayBuffer()),
      rawFloats(await p1('probabilities-hippocampus.nii.gz')),
    ]);
    expect(got.length).toBe(want.length);
    expect(got.every((value, i) => Math.abs(value - (want[i] ?? Number.NaN)) <= 2e-3)).toBe(true);
  });

  describe('wrong volumes are told from what they are, and the next good one works', () => {
    test.each([
      ['nothing', () => new Uint8Array(0), 'invalid_volume'],
      ['no volume', () => new Uint8Array(5_000).fill(7), 'invalid_volume'],
      ['a volume cut short', () => volume.subarray(0, volume.byteLength / 2), 'invalid_volume'],
      ['60 MB of nothing', () => new Uint8Array(60_000_000), 'invalid_volume'],
      ['two channels where one is wanted', () => twoChannels(), 'channel_mismatch'],
    ])('%s', async (_, body, code) => {
      const reply = await segment(clinic, 'adapter=task', body());
      expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 422, code });
      await expectServing();
    });
  });

  test('a deadline that is too short ends in 504, and the next call works', async () => {
    const reply = await segment(clinic, 'adapter=task&deadline=0.05');
    expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 504, code: 'deadline_exceeded' });
    await expectServing();
  });

  describe('damaged adapters are rejected with their problems and cannot be used', () => {
    test.each([
      [
        'a NaN',
        'not_finite',
        (file: Uint8Array) => patchTensor(file, /::down$/, (data) => data.fill(Number.NaN, 0, 1)),
      ],
      [
        'factors of another base',
        'wrong_base',
        (file: Uint8Array) => patchTensor(file, /::up0$/, (data) => data.fill(0.01)),
      ],
      ['another self-test', 'selftest', (file: Uint8Array) => patchManifest(file, shiftSelftest)],
    ])('%s: %s', async (_, code, damage) => {
      const name = `damaged-${code.replaceAll('_', '-')}`;
      const shown = await system.push(clinic, name, damage(await p1('adapter-hippocampus.safetensors')));
      expect(shown.status).toBe('rejected');
      expect(shown.problems.map((problem) => problem.code)).toContain(code);
      const refused = await segment(clinic, `adapter=${name}`);
      expect(problemSchema.parse(await refused.json())).toMatchObject({ status: 409, code: 'adapter_not_ready' });
      await expectServing();
    });

    test('a damaged base is refused by the runner, and not served', async () => {
      const damaged = patchTensor(await p1('base.safetensors'), /^out\.conv\.conv\.bias$/, (data) =>
        data.fill(Number.NaN),
      );
      const reply = await system.edge.call('POST', '/v1/bases', { body: damaged });
      const problem = problemSchema.parse(await reply.json());
      expect(problem).toMatchObject({ status: 422, code: 'invalid_base' });
      expect(problem.problems?.map(({ code }) => code)).toContain('not_finite');
      const { data } = JSON.parse(await (await system.edge.call('GET', '/v1/bases')).text());
      expect(data).toHaveLength(2);
    });
  });

  test('a runner that is killed is a 503; back again, it serves what it has on its disk', async () => {
    const { pid } = system.runner();
    await system.runner().kill();
    const refused = await segment(clinic, 'adapter=task');
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(problemSchema.parse(await refused.json())).toMatchObject({ status: 503, code: 'runner_unavailable' });
    expect((await system.edge.call('GET', '/healthz', { key: null })).status).toBe(503);

    const file = patchManifest(await p1('adapter-hippocampus.safetensors'), (manifest) => {
      manifest['description'] = 'uploaded while no runner was there';
    });
    const pushed = await system.edge.call('POST', '/v1/adapters/patient/versions', { key: clinic, body: file });
    expect(pushed.status).toBe(201);

    await system.restartRunner();
    expect(system.runner().pid).not.toBe(pid);
    expect((await system.edge.call('GET', '/healthz', { key: null })).status).toBe(200);
    const reply = await segment(clinic, 'adapter=task');
    expect(reply.headers.get('x-adapter-cache')).toBe('warm');
    const labels = await imageOf(reply);
    expect(share(labels, await readNifti(await p1('labels-hippocampus.nii.gz')), equal)).toBeGreaterThanOrEqual(0.999);
    expect(await verified(system.edge, clinic, 'patient')).toMatchObject({ status: 'ready' });
  });
});

/** The self-test of another network. */
function shiftSelftest(manifest: Record<string, unknown>): void {
  const { selftest } = manifest;
  if (typeof selftest !== 'object' || selftest === null || !('expected' in selftest)) throw new Error('no self-test');
  if (!Array.isArray(selftest.expected)) throw new Error('no expected logits');
  selftest.expected = selftest.expected.map((value: number) => value + 1);
}

/** The voxels of a float32 NIfTI-1 file, which may be 4-D, as they are stored. */
async function rawFloats(gzipped: ArrayBuffer | Buffer): Promise<Float32Array> {
  const plain = await new Response(
    new Blob([new Uint8Array(gzipped)]).stream().pipeThrough(new DecompressionStream('gzip')),
  ).arrayBuffer();
  const view = new DataView(plain);
  expect(view.getInt16(70, true)).toBe(16);
  return new Float32Array(plain.slice(view.getFloat32(108, true)));
}
