import type { FormatProblem } from '../../schemas/errors.ts';
import type { AdapterManifest, BaseManifest } from '../../schemas/manifest.ts';
import { selftestInput, selftestTolerance } from '../../schemas/selftest.ts';
import type { Base } from './base.ts';
import type { PlacedAdapter } from './placed.ts';

/** One window through the network: `input` is `[C, …window]`, the answer its logits `[K, …window]`. */
export interface SelftestWindow {
  /** Base digest. */
  readonly base: string;
  readonly window: readonly [number, number, number];
  readonly adapter: PlacedAdapter | null;
  readonly input: Float32Array;
}

/** What carries the self-test: a manifest with the adapter it belongs to, or the base's own with none. */
export interface SelftestSubject {
  readonly manifest: AdapterManifest | BaseManifest;
  readonly adapter: PlacedAdapter | null;
}

/**
 * Runs the self-test of an adapter or a base and compares the logits at its positions with the expected ones, within
 * `1e-3 * max(1, max|expected|)`. Answers no problem, or the largest miss. What `run` throws passes through: a session
 * that fails says nothing about the file.
 */
export async function verifySelftest(
  { manifest, adapter }: SelftestSubject,
  base: Base,
  run: (request: SelftestWindow) => Promise<Float32Array>,
): Promise<FormatProblem[]> {
  const { roi_size: window, positions, expected } = manifest.selftest;
  const voxels = window[0] * window[1] * window[2];
  const input = selftestInput(base.manifest.architecture.in_channels * voxels);
  const logits = await run({ base: base.digest, window, adapter, input });
  const tolerance = selftestTolerance(expected);
  let worst: { miss: number; at: number } | null = null;
  for (const [at, position] of positions.entries()) {
    // A position outside the logits and a NaN both miss by NaN, which no comparison may let through.
    const miss = Math.abs((logits[position] ?? Number.NaN) - (expected[at] ?? Number.NaN));
    if (miss <= tolerance) continue;
    if (worst === null || miss > worst.miss) worst = { miss, at };
  }
  if (worst === null) return [];
  const position = positions[worst.at] ?? 0;
  const message = `expected ${expected[worst.at]} within ${tolerance} at position ${position}, found ${logits[position]}`;
  return [{ code: 'selftest', path: `manifest.selftest.expected[${worst.at}]`, message }];
}
