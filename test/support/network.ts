import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompiledAdapter, Tensor } from '../../gpu-runner/adapter/compiled.ts';
import { openSession } from '../../gpu-runner/inference/onnx-session.ts';
import { adapterFeeds, baseFed, type FeedableAdapter } from '../../gpu-runner/network/feeds.ts';
import { readWeights, writeWeights } from '../../gpu-runner/network/weights.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import { type Architecture, baseParameters } from '../../schemas/architecture.ts';
import type { BaseManifest } from '../../schemas/manifest.ts';
import { mixed } from './mixed.ts';

/** Feature size 12 and the smallest window: the quickest network there is. */
export const SMALL: Architecture = {
  network: 'SwinUNETR',
  feature_size: 12,
  in_channels: 1,
  out_channels: 2,
  depths: [1, 1, 1, 1],
  num_heads: [3, 6, 12, 24],
  window_size: 7,
  patch_merging: 'fixed',
};

export const SMALL_WINDOW: Vec3 = [32, 32, 64];

export function count(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Hashed weights for every parameter, in the order of their names: `make_network_golden.py` makes the same. */
export function hashedTensors(architecture: Architecture): { tensors: Map<string, Tensor>; used: number } {
  const tensors = new Map<string, Tensor>();
  let used = 0;
  const shapes = [...baseParameters(architecture)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, shape] of shapes) {
    tensors.set(name, { shape, data: hashedValues(used, shape) });
    used += count(shape);
  }
  return { tensors, used };
}

/** Vectors are small, matrices and kernels keep the variance of what they multiply. */
export function hashedValues(start: number, shape: readonly number[]): Float32Array {
  const scale = shape.length === 1 ? 0.2 : Math.sqrt(3 / count(shape.slice(1)));
  return Float32Array.from({ length: count(shape) }, (_, index) => mixed(start + index) * scale);
}

/** A base of hashed weights, as far as a session host looks at it. */
export function hashedBase(architecture: Architecture, digest = 'sha256:small') {
  const manifest: BaseManifest = {
    name: 'small',
    description: '',
    architecture,
    channels: ['T1'],
    preprocessing: { orientation: null, spacing: null, intensity: { kind: 'none' } },
    inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' },
    activation: 'softmax',
    labels: [],
    postprocessing: { largest_component: [] },
    provenance: {},
    licence: '',
    intended_use: '',
    selftest: { roi_size: [64, 64, 64], positions: [], expected: [] },
  };
  return { digest, manifest, tensors: hashedTensors(architecture).tensors };
}

/** One window through a session of its own, without a child process. */
export async function windowLogits(
  architecture: Architecture,
  tensors: ReadonlyMap<string, Tensor>,
  adapter: FeedableAdapter | CompiledAdapter | null,
  window: Vec3,
  image: Float32Array,
): Promise<Float32Array> {
  const folder = mkdtempSync(join(tmpdir(), 'network-test-'));
  try {
    const weightsPath = join(folder, 'base.weights');
    await writeWeights(weightsPath, architecture, tensors);
    const kind = adapter?.kind ?? 'head';
    const session = await openSession({ architecture, weightsPath, window, kind }, 'cpu', 2);
    const fromBase = readWeights(weightsPath, architecture, baseFed(architecture, adapter));
    const logits = await session.bind(adapterFeeds(architecture, adapter, fromBase))(image);
    await session.release();
    return logits;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The largest difference between logits and what they should be, as a share of the largest logit there is. */
export function largestMiss(
  logits: Float32Array,
  positions: readonly number[],
  expected: readonly number[],
  largest: number,
): number {
  const misses = positions.map((position, at) => Math.abs((logits[position] ?? Number.NaN) - (expected[at] ?? 0)));
  return Math.max(...misses) / largest;
}
