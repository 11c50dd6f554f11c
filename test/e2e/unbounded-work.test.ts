import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { floatVoxels, rawNifti } from '../runner/volume/raw-nifti.ts';
import { selftestOf } from '../support/safetensors-file.ts';
import { processTree } from './support/memory.ts';
import { problemOf, pushReady, type SmallSystem, startSmallSystem } from './support/small-system.ts';

const DEADLINE_SECONDS = 2;
/** For what is not the run itself: another program may have the processors. */
const GRACE_MS = 5_000;
/** Of the process that runs windows; one of 192^3 takes 8 GB. */
const PEAK_MAX_MIB = 1500;

/** 16 voxels of this many millimetres a side. */
function cube(millimetres: number): Uint8Array {
  const srow = [millimetres, 0, 0, 0, 0, millimetres, 0, 0, 0, 0, millimetres, 0];
  const voxels = floatVoxels(Array.from({ length: 16 ** 3 }, (_, n) => n % 17));
  const pixdim = [1, millimetres, millimetres, millimetres];
  return rawNifti({ dim: [3, 16, 16, 16], datatype: 16, pixdim, srow, voxels });
}

describe('an adapter that asks for no end of work', () => {
  let system: SmallSystem;
  let good: Buffer;

  beforeAll(async () => {
    system = await startSmallSystem({ PDORA_MEMORY_MB: '1024', PDORA_WINDOWS: '32x32x64,192x192x192' });
    good = await system.goodLabels();
  });
  afterAll(() => system.close());

  afterEach(async () => {
    expect((await system.goodLabels()).equals(good)).toBe(true);
  });

  const push = async (name: string, overrides: Record<string, unknown>) =>
    await pushReady(system, system.key, name, (await system.model.adapter(overrides)).bytes);

  test('by its spacing gets none: the volume would be too large', async () => {
    await push('fine', { preprocessing: { spacing: [0.3, 0.3, 0.3] } });
    const problem = await problemOf(await system.segment('adapter=fine', cube(10)));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_volume' });
    expect(problem.detail).toContain('501 x 501 x 501 voxels');
  });

  test('by its overlap gets what fits before the deadline', async () => {
    await push('dense', { inference: inference([32, 32, 64], 0.8), preprocessing: { spacing: [0.4, 0.4, 0.4] } });
    const start = performance.now();
    const reply = await system.segment(`adapter=dense&deadline=${DEADLINE_SECONDS}`, cube(3));
    expect(await problemOf(reply)).toMatchObject({ status: 504, code: 'deadline_exceeded' });
    expect(performance.now() - start).toBeLessThan(1000 * DEADLINE_SECONDS + GRACE_MS);
  });

  test.each([
    ['its window, where that takes too much memory', 'huge', { inference: inference([192, 192, 192], 0) }, 'inference'],
    [
      'its window, where the operator does not allow it',
      'wide',
      { inference: inference([160, 160, 160], 0) },
      'inference',
    ],
    ['the window of its self-test', 'tested', { selftest: selftestOf(3, [192, 192, 192]) }, 'selftest'],
  ])('by %s is rejected before it is run', async (_, name, overrides, where) => {
    const { bytes } = await system.model.adapter(overrides);
    const { status, problems } = await system.push(system.key, name, bytes);
    const path = `manifest.${where}.roi_size`;
    expect({ status, problems }).toMatchObject({ status: 'rejected', problems: [{ code: 'manifest', path }] });
    const refused = await problemOf(await system.segment(`adapter=${name}`, cube(3)));
    expect(refused).toMatchObject({ status: 409, code: 'adapter_not_ready' });
    const [, child] = processTree(system.runner().pid);
    expect(child?.peakMiB).toBeLessThan(PEAK_MAX_MIB);
  });
});

function inference(window: readonly number[], overlap: number) {
  return { roi_size: window, overlap, blend: 'gaussian' };
}
