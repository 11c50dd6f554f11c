import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Base, readBase } from '../gpu-runner/adapter/base.ts';
import type { CompiledAdapter } from '../gpu-runner/adapter/compiled.ts';
import { DiskCache } from '../gpu-runner/adapter/disk-cache.ts';
import { fusedParameters } from '../gpu-runner/adapter/fused.ts';
import { placeAdapter } from '../gpu-runner/adapter/placed.ts';
import { readAdapter } from '../gpu-runner/adapter/read-adapter.ts';
import { sha256Hex } from '../gpu-runner/adapter/sha256.ts';
import { readWeightsFile } from '../gpu-runner/adapter/weights-file.ts';
import { openSession } from '../gpu-runner/inference/onnx-session.ts';
import { adapterFeeds, baseFed } from '../gpu-runner/network/feeds.ts';
import { readWeights, writeWeights } from '../gpu-runner/network/weights.ts';
import { HEAD_PARAMETERS } from '../schemas/architecture.ts';
import { selftestInput } from '../schemas/selftest.ts';
import { TEST_PROVIDER } from '../test/support/provider.ts';
import { untilQuiet } from './support/gate.ts';
import { pdoraCase } from './support/pdora-case.ts';
import { percentile, round } from './support/statistics.ts';
import { inTurns } from './support/turns.ts';
import { THREADS } from './support/window.ts';

const REPEATS = 7;
const WINDOWS = { turns: 9, warm: 2 };
const MODEL = new URL('../models/hippocampus/', import.meta.url);

/** What another adapter costs, phase by phase, in milliseconds. */
export interface SwapCost {
  readonly adapter: string;
  readonly megabytes: number;
  readonly compiledMegabytes: number;
  /** From this machine's disk, with its SHA-256: once, where it is not compiled. */
  readonly read: number;
  /** Every rule of the format on its values, and its compiled form: once. */
  readonly compile: number;
  /** Written where runs read it: once. */
  readonly write: number;
  /** Read and checked by the session's process, and made ready to be fed: for a run that no other shares it with. */
  readonly handOver: number;
  readonly window: number;
  /** What a window takes longer than in a network whose weights were fused before. */
  readonly fuse: number;
  readonly within: boolean;
}

export async function swapCost(): Promise<SwapCost[]> {
  const base = await readBase(await readFile(new URL('base.safetensors', MODEL)));
  const file = await readFile(new URL('hippocampus.safetensors', MODEL));
  await untilQuiet('swap-cost');
  const found = [await measure('the hippocampus model, feature size 12, with a decoder', { base, file })];
  for (const [featureSize, rank] of [
    [24, 8],
    [48, 8],
    [48, 32],
  ] as const) {
    found.push(await measure(`PDoRA of rank ${rank}, feature size ${featureSize}`, await pdoraCase(featureSize, rank)));
  }
  return found;
}

async function measure(adapter: string, { base, file }: { base: Base; file: Uint8Array }): Promise<SwapCost> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const hex = await sha256Hex([file]);
    const disk = await DiskCache.open(join(folder, 'disk'), 2 ** 32);
    await disk.write(hex, file);
    const compiled = await readAdapter(file, `sha256:${hex}`, base);
    const placed = await placeAdapter(folder, compiled);
    const { architecture } = base.manifest;
    const weightsPath = join(folder, 'base.weights');
    await writeWeights(weightsPath, architecture, base.tensors);
    const feeds = async () => {
      const read = readWeightsFile(placed.weights);
      const fromBase = readWeights(weightsPath, architecture, baseFed(architecture, read));
      return adapterFeeds(architecture, read, fromBase);
    };
    const { roi_size: window } = compiled.manifest.inference;
    const session = await openSession(
      { architecture, weightsPath, window, kind: compiled.kind },
      TEST_PROVIDER,
      THREADS,
    );
    const handOver = await median(async () => session.bind(await feeds()));
    const predict = session.bind(await feeds());
    const times = await windows(base, compiled, predict, folder);
    await session.release();
    return {
      adapter,
      megabytes: round(file.length / 1e6),
      compiledMegabytes: round(compiled.bytes / 1e6),
      read: await median(async () => await disk.read(hex)),
      compile: await median(async () => await readAdapter(file, `sha256:${hex}`, base)),
      write: await median(async () => await placeAdapter(folder, compiled)),
      handOver,
      window: round(percentile(times.a, 0.5)),
      fuse: round(percentile(times.a, 0.5) - percentile(times.b, 0.5)),
      within: true,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Windows through the network that fuses in each, and in turn through the same whose weights were fused before. */
async function windows(
  base: Base,
  { manifest, slots, replaced }: CompiledAdapter,
  predict: (image: Float32Array) => Promise<Float32Array>,
  folder: string,
): Promise<{ a: number[]; b: number[] }> {
  const { architecture } = base.manifest;
  const { roi_size: window } = manifest.inference;
  const weightsPath = join(folder, 'fused.weights');
  const ofBody = [...replaced].filter(([name]) => !isHead(name));
  await writeWeights(weightsPath, architecture, fusedParameters(base, { slots, replaced: new Map(ofBody) }));
  const ofHead = {
    kind: 'head',
    slots: new Map(),
    replaced: new Map([...replaced].filter(([name]) => isHead(name))),
  } as const;
  const session = await openSession({ architecture, weightsPath, window, kind: 'head' }, TEST_PROVIDER, THREADS);
  const fromFused = readWeights(weightsPath, architecture, baseFed(architecture, ofHead));
  const fused = session.bind(adapterFeeds(architecture, ofHead, fromFused));
  const image = selftestInput(architecture.in_channels * window[0] * window[1] * window[2]);
  const times = await inTurns({ a: () => predict(image), b: () => fused(image) }, WINDOWS);
  await session.release();
  return times;
}

function isHead(parameter: string): boolean {
  return HEAD_PARAMETERS.some((name) => name === parameter);
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = -1; n < REPEATS; n++) {
    const began = performance.now();
    await work();
    if (n >= 0) times.push(performance.now() - began);
  }
  return round(percentile(times, 0.5));
}
