import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Base, readBase } from '../../../gpu-runner/adapter/base.ts';
import { placeAdapter } from '../../../gpu-runner/adapter/placed.ts';
import { readAdapter } from '../../../gpu-runner/adapter/read-adapter.ts';
import { activate } from '../../../gpu-runner/inference/labels.ts';
import { Segmenter, type SegmentRequest } from '../../../gpu-runner/inference/segment.ts';
import { type NetworkRunner, SessionHost } from '../../../gpu-runner/inference/session-host.ts';
import { VolumePool } from '../../../gpu-runner/inference/volume-pool.ts';
import { decide, valuesOf } from '../../support/decided.ts';
import { parityCases } from '../../support/parity-case.ts';
import { TEST_PROVIDER } from '../../support/provider.ts';
import { describeShared } from '../../support/shared.ts';
import { fileOf } from '../../support/small-model.ts';

/** The header's bytes before and after `vox_offset`: the golden files have no extension, ours has one. */
function headerOf(nii: Buffer): { before: string; after: string } {
  return { before: nii.toString('hex', 0, 108), after: nii.toString('hex', 112, 348) };
}

function voxelsOf(nii: Buffer): Buffer {
  return nii.subarray(nii.readFloatLE(108));
}

function shareOfEqual(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.filter((value, n) => value === b[n]).length / a.length;
}

/** The largest difference at sampled positions. */
function largestMiss(values: Float32Array, sample: { positions: number[]; values: number[] }): number {
  const misses = sample.positions.map((at, n) => Math.abs((values[at] ?? Number.NaN) - (sample.values[n] ?? 0)));
  return misses.reduce((largest, miss) => (miss <= largest ? largest : miss), 0);
}

describeShared('whole volumes against MONAI', () => {
  let host: SessionHost;
  let volumes: VolumePool;
  let segmenter: Segmenter;
  let lastLogits: Float32Array = new Float32Array(0);

  beforeAll(() => {
    host = new SessionHost({ providers: [TEST_PROVIDER], threads: 2, log: { info() {}, warn() {} } });
    volumes = new VolumePool(1);
    const network: NetworkRunner = {
      runWindow: async (request) => await host.runWindow(request),
      windowMilliseconds: (window) => host.windowMilliseconds(window),
      async run(request, options) {
        if (request.decision.kind === 'probabilities') return await host.run(request, options);
        const result = await host.run({ ...request, decision: { kind: 'logits' } }, options);
        lastLogits = valuesOf(result.decided);
        const { decision, classes, shape } = request;
        return { ...result, decided: decide(decision, lastLogits, classes, shape) };
      },
    };
    segmenter = new Segmenter({ network, volumes, memoryBytes: 4e9, windows: null, now: Date.now });
  });

  afterAll(async () => {
    await Promise.all([host.close(), volumes.close()]);
  });

  const runs = parityCases().flatMap((parity) => parity.runs.map((run) => ({ parity, run })));

  describe.each(runs)('$parity.name, $run.adapter', ({ parity, run }) => {
    let base: Base;

    async function segment(output: SegmentRequest['output']): Promise<Buffer> {
      const images = parity.inputs.map(({ file }, n) => ({
        channel: parity.channels[n] ?? '',
        bytes: parity.file(file),
      }));
      const file = run.adapter === null ? null : fileOf(parity.file(run.adapter));
      const compiled = file === null ? null : await readAdapter(file.bytes, file.digest, base);
      const adapter = compiled === null ? null : await placeAdapter(host.weightsFolder, compiled);
      const call = { runId: 'parity', tenant: 'hospital' };
      const { body } = await segmenter.segment({ ...call, images, base, adapter, output, format: 'nifti' });
      return gunzipSync(body);
    }

    beforeAll(async () => {
      base = await readBase(parity.file(parity.base.file));
      await host.registerBase(base);
    });

    it('gives the label map, its header bit for bit, from the same logits', async () => {
      expect(base.digest).toBe(parity.base.digest);
      const answer = await segment('labels');
      const golden = gunzipSync(parity.file(run.labels.file));
      expect(headerOf(answer)).toEqual(headerOf(golden));
      expect(shareOfEqual(voxelsOf(answer), voxelsOf(golden))).toBeGreaterThanOrEqual(0.999);

      const { logits_on_grid: logits, probabilities_on_grid: probabilities } = run;
      expect(largestMiss(lastLogits, logits) / logits.max_abs).toBeLessThanOrEqual(1e-3);
      activate(lastLogits, logits.shape[0] ?? 0, run.activation);
      expect(largestMiss(lastLogits, probabilities)).toBeLessThanOrEqual(2e-3);
    });

    const { probabilities: stored } = run;
    if (stored === undefined) return;
    it('gives the probabilities on the grid of the input', async () => {
      const answer = await segment('probabilities');
      const golden = gunzipSync(parity.file(stored.file));
      expect(headerOf(answer)).toEqual(headerOf(golden));
      const [found, expected] = [voxelsOf(answer), voxelsOf(golden)];
      expect(found.length).toBe(expected.length);
      let largest = 0;
      for (let at = 0; at < expected.length; at += 4) {
        const miss = Math.abs(found.readFloatLE(at) - expected.readFloatLE(at));
        if (!(miss <= largest)) largest = miss;
      }
      expect(largest).toBeLessThanOrEqual(2e-3);
    });
  });
});
