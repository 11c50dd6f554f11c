import { newHeader } from '../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti } from '../../gpu-runner/volume/nifti-write.ts';
import type { Format } from '../../schemas/answer-formats.ts';
import { patchTensor } from '../e2e/support/damage.ts';
import { choose } from '../e2e/support/damaged-file.ts';
import { fileOf, type ModelFile, noiseVolume, type SmallModel } from './small-model.ts';

/** What somebody asks of a runner. */
export interface Question {
  readonly adapter: ModelFile | null;
  readonly volume: Uint8Array<ArrayBuffer>;
  readonly output: 'labels' | 'probabilities';
  readonly format: Format;
  /** The same for questions that have the same answer. */
  readonly key: string;
}

/** What becomes of a request: an answer as when it is asked alone, a refusal, or whatever meets one who changed their mind. */
export type Fate =
  | { readonly kind: 'answered' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'cancelled' | 'left while sending' | 'left while waiting'; readonly afterMs: number };

export interface MixedRequest {
  readonly question: Question;
  readonly fate: Fate;
  readonly tenant: string;
}

export interface Mix {
  /** What the edge must have. */
  readonly files: readonly ModelFile[];
  readonly base: SmallModel['base'];
  /** Every question that is answered, each once. */
  readonly questions: readonly Question[];
  /** The `n`th of a sequence that is always the same. */
  request(n: number): MixedRequest;
}

/** Of a hundred requests; the others are answered. */
const CANCELLED = 8;
const LEFT_SENDING = 5;
const LEFT_WAITING = 7;
const BAD_VOLUME = 8;
const BAD_ADAPTER = 7;
const TENANTS = 4;
/** About as long as the longest of the runs. */
const CHANGED_MIND_MS = 400;
const SHAPES = [
  [20, 24, 40],
  [32, 30, 64],
  [24, 32, 50],
  [30, 40, 64],
] as const;
/** Half a megabyte and more, and next to no work for the network. */
const BALLAST = ['attn.qkv', 'attn.proj', 'mlp.linear1', 'mlp.linear2'].map((layer) => {
  return { parameter: `swinViT.layers4.0.blocks.0.${layer}.weight`, method: 'lora', rank: 96, scale: 0.01 };
});
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

/** Requests of every kind for a small model: good ones of several adapters, volumes and answers, and all that goes wrong. */
export async function makeMix(model: SmallModel, adapterCount: number): Promise<Mix> {
  const adapters: ModelFile[] = [];
  for (let n = 0; n < adapterCount; n++) {
    const target = { parameter: QKV, method: 'lora', rank: 1 + (n % 8), scale: (n % 2 === 0 ? 20 : -20) * (1 + n) };
    adapters.push(await model.adapter({ targets: [target, ...BALLAST], description: `number ${n}` }));
  }
  const good = adapters[0];
  if (good === undefined) throw new Error('a mix has adapters');
  const untrue = fileOf(patchTensor(good.bytes, /::full$/, (data) => data.fill(0.5)));
  const cut = fileOf(good.bytes.slice(0, -4));
  const nowhere = fileOf(Uint8Array.of(1));
  const badAdapters = [
    { adapter: untrue, code: 'invalid_adapter' },
    { adapter: cut, code: 'invalid_adapter' },
    { adapter: nowhere, code: 'not_found' },
  ];
  const volumes = await Promise.all(SHAPES.map(async (shape, n) => new Uint8Array(await noiseVolume(shape, 1 + n))));
  const badVolumes = volumesThatAreNone(volumes[0] ?? new Uint8Array());
  const questions = [null, ...adapters].flatMap((adapter, a) =>
    volumes.flatMap((volume, v) =>
      (['labels', 'probabilities'] as const).map((output) => {
        const format: Format = output === 'labels' && (a + v) % 2 === 1 ? 'nrrd' : 'nifti';
        return { adapter, volume, output, format, key: [a, v, output].join() };
      }),
    ),
  );
  return {
    files: [model.base, ...adapters, untrue, cut],
    base: model.base,
    questions,
    request(n) {
      const seed = 10 * n;
      const tenant = `tenant-${choose(seed, TENANTS)}`;
      const asked = pick(questions, seed + 1);
      const afterMs = choose(seed + 2, CHANGED_MIND_MS);
      const { adapter, code } = pick(badAdapters, seed + 3);
      const { volume } = pick(badVolumes, seed + 4);
      const cases: readonly [number, Omit<MixedRequest, 'tenant'>][] = [
        [CANCELLED, { question: asked, fate: { kind: 'cancelled', afterMs } }],
        [LEFT_SENDING, { question: asked, fate: { kind: 'left while sending', afterMs } }],
        [LEFT_WAITING, { question: asked, fate: { kind: 'left while waiting', afterMs } }],
        [BAD_VOLUME, { question: { ...asked, volume }, fate: { kind: 'refused', code: 'invalid_volume' } }],
        [BAD_ADAPTER, { question: { ...asked, adapter }, fate: { kind: 'refused', code } }],
      ];
      let lot = choose(seed + 5, 100);
      for (const [share, made] of cases) {
        if (lot < share) return { ...made, tenant };
        lot -= share;
      }
      return { question: asked, fate: { kind: 'answered' }, tenant };
    },
  };
}

function pick<T>(from: readonly T[], seed: number): T {
  const picked = from[choose(seed, from.length)];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

function volumesThatAreNone(good: Uint8Array<ArrayBuffer>): { volume: Uint8Array<ArrayBuffer> }[] {
  const affine = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  const noise = Float32Array.from({ length: 16 ** 3 }, (_, n) => n % 17);
  const nifti = (data: Float32Array) =>
    new Uint8Array(encodeNifti({ header: newHeader([16, 16, 16], affine), datatype: 'float32', data }));
  return [
    new Uint8Array(0),
    new TextEncoder().encode('not a volume at all'.repeat(100)),
    good.slice(0, good.length / 2),
    nifti(noise).slice(0, 5000),
    nifti(noise.with(77, Number.NaN)),
  ].map((volume) => ({ volume }));
}
