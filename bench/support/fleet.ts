import { readFile } from 'node:fs/promises';
import { readBase } from '../../gpu-runner/adapter/base.ts';
import { patchManifest, patchTensor } from '../../test/e2e/support/damage.ts';
import { fileOf, type ModelFile, noiseVolume, type SmallModel } from '../../test/support/small-model.ts';

const MODEL = new URL('../../models/hippocampus/', import.meta.url);
/** The least that can be asked for: one window of the model's. */
const LEAST = [30, 60, 30] as const;
/** The median of what it was made for, 200 crops around a hippocampus: four windows. */
const USUAL = [35, 50, 35] as const;
/** Each adapter is another one, and every self-test still within its tolerance. */
const STEP = 1e-7;

/** Many adapters as they are trained: PDoRA on 24 layers and a decoder of their own, 2.8 MB each. */
export interface Fleet {
  readonly base: SmallModel['base'];
  readonly adapters: readonly ModelFile[];
  /** Of one window. */
  readonly least: Uint8Array<ArrayBuffer>;
  /** Of four. */
  readonly usual: Uint8Array<ArrayBuffer>;
}

export async function makeFleet(count: number): Promise<Fleet> {
  const base = await readFile(new URL('base.safetensors', MODEL));
  const trained = await readFile(new URL('hippocampus.safetensors', MODEL));
  const { digest: baseDigest } = await readBase(base);
  const adapters = Array.from({ length: count }, (_, n) => {
    const named = patchManifest(trained, (manifest) => {
      manifest['description'] = `number ${n}`;
    });
    return fileOf(patchTensor(named, /::magnitude$/, (data) => data.set(data.map((value) => value * (1 + n * STEP)))));
  });
  const [least, usual] = await Promise.all(
    [LEAST, USUAL].map(async (shape) => new Uint8Array(await noiseVolume(shape))),
  );
  if (least === undefined || usual === undefined) throw new Error('no volumes');
  return { base: { ...fileOf(base), baseDigest }, adapters, least, usual };
}

/** The numbers below `count` in an order that is the same for a seed. */
export function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, n) => n);
  let state = seed;
  for (let n = count - 1; n > 0; n--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (n + 1);
    [order[n], order[other]] = [order[other] ?? 0, order[n] ?? 0];
  }
  return order;
}
