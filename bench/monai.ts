import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Engine, openEngine } from '../gpu-runner/local.ts';
import { TEST_PROVIDER } from '../test/support/provider.ts';
import { sharedPath } from '../test/support/shared.ts';
import { startMonai } from './support/monai.ts';
import { runPython } from './support/python.ts';
import { percentile, round } from './support/statistics.ts';
import { inTurns } from './support/turns.ts';
import { THREADS } from './support/window.ts';

/** A whole head at 1 mm, 124 x 160 x 140 and oblique: eight windows of 96^3. */
const VOLUME = 'FLAIR.nii.gz';
const TURNS = { turns: 2, warm: 0 };
/** How MONAI runs the model; autocast says something on a GPU alone. */
const MODES = TEST_PROVIDER === 'cuda' ? (['eager', 'autocast'] as const) : (['eager'] as const);
/** How many times as fast as MONAI, by feature size. */
const BOUNDS = [
  [24, 3],
  [48, 1.8],
] as const;
const AGREEMENT = { all: 0.999, foreground: 0.995 };

const agreementSchema = z.object({ all: z.number(), foreground: z.number() });

export interface AgainstMonai {
  readonly featureSize: number;
  readonly mode: 'eager' | 'autocast';
  readonly volume: string;
  /** From file to file, the models loaded before. */
  readonly seconds: { readonly monai: number; readonly ours: number };
  readonly ratio: number;
  readonly wanted: number;
  /** Shares of voxels with the same label: of all, and of those that either calls foreground. */
  readonly agreement: { readonly all: number; readonly foreground: number };
  readonly within: boolean;
}

/** A NIfTI file to a label map by this program and by MONAI on PyTorch: same weights, windows, overlap, threads. */
export async function monai(): Promise<AgainstMonai[]> {
  const found: AgainstMonai[] = [];
  for (const [featureSize, wanted] of BOUNDS) {
    for (const mode of MODES) found.push(await compared(featureSize, wanted, mode));
  }
  return found;
}

async function compared(featureSize: number, wanted: number, mode: (typeof MODES)[number]): Promise<AgainstMonai> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const base = join(folder, 'base.safetensors');
  const outputs = { ours: join(folder, 'ours.nii.gz'), monai: join(folder, 'monai.nii.gz') };
  const image = sharedPath('data', 'volumes', VOLUME);
  try {
    await runPython('make_base.py', [featureSize, base]);
    const theirs = await startMonai(base, THREADS, { device: TEST_PROVIDER, autocast: mode === 'autocast' });
    const engine = await openEngine({ basePath: base, threads: THREADS, providers: [TEST_PROVIDER] });
    const calls = {
      a: async () => await theirs.segment(image, outputs.monai),
      b: async () => await segmentFile(engine, image, outputs.ours),
    };
    const times = await inTurns(calls, TURNS);
    await engine.close();
    theirs.close();
    const equal = agreementSchema.parse(JSON.parse(await runPython('agreement.py', [outputs.ours, outputs.monai])));
    const seconds = { monai: round(percentile(times.a, 0.5) / 1e3), ours: round(percentile(times.b, 0.5) / 1e3) };
    const ratio = round(seconds.monai / seconds.ours);
    const within = ratio >= wanted && equal.all >= AGREEMENT.all && equal.foreground >= AGREEMENT.foreground;
    return { featureSize, mode, volume: VOLUME, seconds, ratio, wanted, agreement: equal, within };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function segmentFile(engine: Engine, image: string, output: string): Promise<void> {
  const { body } = await engine.segment({ images: [{ channel: null, bytes: await readFile(image) }] });
  await writeFile(output, body);
}
