import { createHash } from 'node:crypto';
import type { FormatCode } from '../../../schemas/errors.ts';
import type { TensorInfo } from '../../../schemas/safetensors.ts';
import {
  type Json,
  randomAdapterTensors,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
} from '../../support/safetensors-file.ts';
import type { SmallModel } from '../../support/small-model.ts';
import { patchManifest } from './damage.ts';
import { choose, type DamagedFile, flipBit, headerOf } from './damaged-file.ts';

/** Files whose header is without fault: their damage lies in the values, which only a runner looks at. */

const BLOCK = 'swinViT.layers1.0.blocks.0';
const WINDOW = [32, 32, 64] as const;

/** Four methods on four layers, so that a file has tensors of every kind, each with an effect that shows. */
export const TARGETS = [
  { parameter: `${BLOCK}.attn.qkv.weight`, method: 'lora', rank: 2, scale: 20 },
  { parameter: `${BLOCK}.attn.proj.weight`, method: 'dora', norm_axis: 'out', rank: 2, scale: 20 },
  { parameter: `${BLOCK}.mlp.linear1.weight`, method: 'bora', rank: 2, scale: 20 },
  { parameter: `${BLOCK}.mlp.linear2.weight`, method: 'map', rank: 2 },
];

function rejected(kind: string, bytes: Uint8Array, problem: FormatCode | null): DamagedFile {
  return { kind, bytes, fate: { by: 'runner', problem } };
}

type Change = (data: Float32Array, seed: number) => Float32Array;

const at =
  (value: number): Change =>
  (data, seed) =>
    data.with(choose(seed, data.length), value);
const CHANGES: readonly [string, FormatCode, Change][] = [
  ['a NaN', 'not_finite', at(Number.NaN)],
  ['an infinity', 'not_finite', at(Number.NEGATIVE_INFINITY)],
  ['zeros', 'selftest', (data) => data.map(() => 0)],
  ['other signs', 'selftest', (data) => data.map((value) => -value)],
  ['other sizes', 'selftest', (data) => data.map((value, n) => (n % 2 === 0 ? value / 3 : 3 * value))],
  ['a value of 1e30', 'selftest', at(1e30)],
];

/** Every change to every tensor. */
export function spoilt(file: Uint8Array): DamagedFile[] {
  return [...headerOf(file).tensors.values()].flatMap((tensor, n) =>
    CHANGES.map(([kind, problem, change], m) => {
      const bytes = write(file, tensor, change(read(file, tensor), 10 * n + m));
      // bora divides by the norms of columns whose rows are all zero.
      const isDivisor = kind === 'zeros' && tensor.name.endsWith('::magnitude_out');
      return rejected(`${tensor.name}: ${kind}`, bytes, isDivisor ? 'not_finite' : problem);
    }),
  );
}

/** Two tensors of one shape in each other's place. */
export function swapped(file: Uint8Array): DamagedFile[] {
  const tensors = [...headerOf(file).tensors.values()];
  return tensors.flatMap((one, n) =>
    tensors
      .slice(n + 1)
      .filter(({ shape }) => shape.length > 0 && shape.join() === one.shape.join())
      .map((other) => {
        const bytes = write(write(file, one, read(file, other)), other, read(file, one));
        return rejected(`${one.name} and ${other.name} swapped`, bytes, 'selftest');
      }),
  );
}

/** The self-test of another network, the file for another base, factors of no base, and no effect at all. */
export function misfits(file: Uint8Array, model: SmallModel, other: SmallModel): DamagedFile[] {
  const base = model.base.baseDigest;
  const selftests = [0, 5, 11, 15].map((n) => {
    const change = ({ selftest }: Json) => nudge(selftest, n);
    return rejected(`answer ${n} of the self-test`, patchManifest(file, change), 'selftest');
  });
  const onOther = patchManifest(file, (manifest) => Object.assign(manifest, { base: other.base.baseDigest }));
  const pdora = { parameter: `${BLOCK}.attn.qkv.weight`, method: 'pdora', form: 'factor', norm_axis: 'in', rank: 2 };
  const factors = [pdora, { ...pdora, norm_axis: 'out' }, { ...pdora, form: 'additive' }];
  const idle = [0, 2].map((n) => zeroed(adapterOf(base, [{ ...TARGETS[0], rank: 1 + n }])));
  return [
    ...selftests,
    rejected('another base of the same architecture', onOther, 'selftest'),
    ...factors.map((target) => rejected('factors of no base', adapterOf(base, [target]), 'wrong_base')),
    rejected('a norm of zero', zeroed(adapterOf(base, [pdora])), 'not_finite'),
    ...idle.map((bytes) => rejected('no effect', bytes, 'no_effect')),
  ];
}

/** A bit anywhere among the weights. */
export function flippedInData(file: Uint8Array, count: number): DamagedFile[] {
  return Array.from({ length: count }, (_, n) => {
    const bytes = flipAnywhere(file, 5000 + n);
    return { kind: 'a bit of the weights flipped', bytes, fate: { by: 'nobody, perhaps' } };
  });
}

/** The same, with the digest of the file as it was. */
export function flippedOnTheWay(file: Uint8Array, count: number): DamagedFile[] {
  const reprDigest = `sha-256=:${createHash('sha256').update(file).digest('base64')}:`;
  return Array.from({ length: count }, (_, n) => {
    const bytes = flipAnywhere(file, 6000 + n);
    return { kind: 'a bit flipped on the way', bytes, fate: { by: 'digest', reprDigest } };
  });
}

function flipAnywhere(file: Uint8Array, seed: number): Uint8Array {
  const { headerBytes } = headerOf(file);
  return flipBit(file, headerBytes + choose(seed, file.byteLength - headerBytes), choose(seed + 1000, 8));
}

/** An adapter with the base's own head and random factors. */
function adapterOf(base: string, targets: readonly Json[]): Uint8Array {
  const { labels } = tinyBaseManifest();
  const inference = { roi_size: WINDOW, overlap: 0.5, blend: 'gaussian' };
  const own = { targets, replaced: [], labels, inference, selftest: selftestOf(2, WINDOW) };
  const manifest = tinyAdapterManifest(base, own);
  return writeAdapter(manifest, randomAdapterTensors(manifest, tinyArchitecture({ depths: [1, 1, 1, 1] }), 2));
}

function zeroed(file: Uint8Array): Uint8Array {
  return file.slice().fill(0, headerOf(file).headerBytes);
}

function nudge(selftest: unknown, n: number): void {
  if (typeof selftest !== 'object' || selftest === null || !('expected' in selftest)) throw new Error('no self-test');
  const { expected } = selftest;
  if (!Array.isArray(expected)) throw new Error('no answers in the self-test');
  expected[n] = Number(expected[n]) * 1.01 + 0.1;
}

function read(file: Uint8Array, { begin, end }: TensorInfo): Float32Array {
  return new Float32Array(file.slice(begin, end).buffer);
}

function write(file: Uint8Array, { begin }: TensorInfo, data: Float32Array): Uint8Array {
  const bytes = file.slice();
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  return bytes;
}
