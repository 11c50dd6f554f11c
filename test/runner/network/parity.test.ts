import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Base, loadBase } from '../../../gpu-runner/adapter/base.ts';
import { placeAdapter } from '../../../gpu-runner/adapter/placed.ts';
import { readAdapter } from '../../../gpu-runner/adapter/read-adapter.ts';
import { verifySelftest } from '../../../gpu-runner/adapter/verify-selftest.ts';
import { SessionHost } from '../../../gpu-runner/inference/session-host.ts';
import { extractWindow, windowPlan } from '../../../gpu-runner/inference/windows.ts';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { prepare } from '../../../gpu-runner/volume/prepare.ts';
import { valuesOf } from '../../support/decided.ts';
import { count, largestMiss } from '../../support/network.ts';
import { TEST_PROVIDER } from '../../support/provider.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

/** The fixtures ask for 1e-3 of the largest logit; float32 on a CPU stays far below. */
const MISS_MAX = 1e-4;

const samplesSchema = z.object({ positions: z.array(z.int()), values: z.array(z.number()), max_abs: z.number() });
const expectedSchema = z.object({
  inputs: z.array(z.object({ file: z.string() })),
  runs: z.array(z.object({ adapter: z.string().nullable(), window: samplesSchema, logits_on_grid: samplesSchema })),
});

const cases = [
  ['p1-legacy-f12', null],
  ['p1-legacy-f12', 'adapter-hippocampus.safetensors'],
  ['p2-fixed-f12-2ch', null],
  ['p2-fixed-f12-2ch', 'adapter-regions.safetensors'],
] as const;

function read(folder: string, file: string): Buffer {
  return readFileSync(sharedPath('fixtures', 'parity', folder, file));
}

async function adapterOf(folder: string, file: string | null, base: Base) {
  if (file === null) return null;
  const bytes = read(folder, file);
  return await readAdapter(bytes, `sha256:${createHash('sha256').update(bytes).digest('hex')}`, base);
}

describeShared('the golden cases', () => {
  const host = new SessionHost({ providers: [TEST_PROVIDER], threads: 2, log: { info: () => {}, warn: () => {} } });
  afterAll(async () => await host.close());

  async function load(folder: string, file: string | null) {
    const base = await loadBase(sharedPath('fixtures', 'parity', folder, 'base.safetensors'));
    await host.registerBase(base);
    const compiled = await adapterOf(folder, file, base);
    const adapter = compiled === null ? null : await placeAdapter(host.weightsFolder, compiled);
    return { base, adapter, manifest: adapter?.manifest ?? base.manifest };
  }

  test.each(cases)('%s with adapter %s: first window and blended volume are MONAI’s', async (folder, file) => {
    const { base, adapter, manifest } = await load(folder, file);
    const { inputs, runs } = expectedSchema.parse(JSON.parse(read(folder, 'expected.json').toString()));
    const expected = runs.find((run) => run.adapter === file);
    if (expected === undefined) throw new Error('no such run among the golden results');
    const images = await Promise.all(inputs.map(async (input) => await readNifti(read(folder, input.file))));
    const prepared = prepare(
      images.map(({ volume }) => volume),
      manifest.preprocessing,
    );
    const { data: volume, channels, shape } = prepared;
    const { roi_size: window, overlap, blend } = manifest.inference;

    const plan = windowPlan(shape, window, overlap);
    const input = new Float32Array(channels * count(window));
    extractWindow(volume, channels, shape, plan, window, [0, 0, 0], input);
    const logits = await host.runWindow({ base: base.digest, window, adapter, input });
    const { positions, values, max_abs } = expected.window;
    expect(largestMiss(logits, positions, values, max_abs)).toBeLessThan(MISS_MAX);

    const classes = logits.length / count(window);
    const request = { base: base.digest, window, overlap, blend, adapter, volume, channels, classes, shape };
    const blended = await host.run({ ...request, runId: folder, decision: { kind: 'logits' } });
    const onGrid = expected.logits_on_grid;
    expect(blended.windows).toBe(plan.starts.length);
    expect(largestMiss(valuesOf(blended.decided), onGrid.positions, onGrid.values, onGrid.max_abs)).toBeLessThan(
      MISS_MAX,
    );
  });

  test.each(cases)('%s with adapter %s passes its self-test', async (folder, file) => {
    const { base, adapter, manifest } = await load(folder, file);
    const problems = await verifySelftest(
      { manifest, adapter },
      base,
      async (request) => await host.runWindow(request),
    );
    expect(problems).toEqual([]);
  });
});
