import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionSpec } from '../../gpu-runner/inference/onnx-session.ts';
import { adapterFeeds, baseFed, type Feeds } from '../../gpu-runner/network/feeds.ts';
import { readWeights, writeWeights } from '../../gpu-runner/network/weights.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import type { Architecture } from '../../schemas/architecture.ts';
import { selftestInput } from '../../schemas/selftest.ts';
import { count, hashedTensors, SMALL } from '../../test/support/network.ts';

export const SIDE = 96;
export const WINDOW: Vec3 = [SIDE, SIDE, SIDE];
/** As on the machines that figures are compared on. */
export const THREADS = 2;

export interface WindowCase {
  readonly folder: string;
  readonly spec: SessionSpec;
  readonly feeds: Feeds;
  readonly image: Float32Array;
}

/** A base of made-up weights in a folder of its own, and what a window of it is fed; the folder goes at the end. */
export async function withWindow<T>(featureSize: number, measure: (one: WindowCase) => Promise<T>): Promise<T> {
  const architecture: Architecture = { ...SMALL, feature_size: featureSize, depths: [2, 2, 2, 2] };
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const weightsPath = join(folder, 'base.weights');
    await writeWeights(weightsPath, architecture, hashedTensors(architecture).tensors);
    const fromBase = readWeights(weightsPath, architecture, baseFed(architecture, null));
    return await measure({
      folder,
      spec: { architecture, weightsPath, window: WINDOW, kind: 'head' },
      feeds: adapterFeeds(architecture, null, fromBase),
      image: selftestInput(count(WINDOW)),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
