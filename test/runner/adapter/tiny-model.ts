import { createHash } from 'node:crypto';
import { type Base, readBase } from '../../../gpu-runner/adapter/base.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import {
  type FileTensor,
  type Json,
  randomAdapterTensors,
  randomBaseTensors,
  randomNumbers,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
  writeBase,
} from '../../support/safetensors-file.ts';

/** The layer that the tests change, `[36, 12]`, and the rank they change it by. */
export const PARAMETER = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';
export const OUT = 36;
export const IN = 12;
export const RANK = 2;

/** The principal part of the layer's weight, alone in its first two rows and columns: an exact SVD by construction. */
export const START = { up0: columns([8, 6]), down0: rows([1, 1]) };

/** `[36, 2]` with these values on its diagonal. */
export function columns(values: readonly number[]): Float32Array {
  return Float32Array.from({ length: OUT * RANK }, (_, i) =>
    i % (RANK + 1) === 0 ? (values[i / (RANK + 1)] ?? 0) : 0,
  );
}

/** `[2, 12]` with these values on its diagonal. */
export function rows(values: readonly number[]): Float32Array {
  return Float32Array.from({ length: RANK * IN }, (_, i) => (i % (IN + 1) === 0 ? (values[i / (IN + 1)] ?? 0) : 0));
}

/** The layer's weight in the tiny base. */
export function layerWeight(): Float32Array {
  return randomNumbers(5, OUT * IN).map((value, at) => {
    const [i, j] = [Math.floor(at / IN), at % IN];
    if (i >= RANK && j >= RANK) return value / 10;
    return i === j ? (START.up0[i * RANK + i] ?? 0) : 0;
  });
}

/** A base of feature size 12 whose named parameters are replaced by `data`. */
export function tinyBaseFile(data: Readonly<Record<string, Float32Array>> = {}): Uint8Array {
  const replaced: Record<string, Float32Array> = { [PARAMETER]: layerWeight(), ...data };
  const tensors = randomBaseTensors(tinyArchitecture()).map((tensor) => ({
    ...tensor,
    data: replaced[tensor.name] ?? tensor.data,
  }));
  return writeBase(tinyBaseManifest(), tensors);
}

export function tinyBase(data: Readonly<Record<string, Float32Array>> = {}): Promise<Base> {
  return readBase(tinyBaseFile(data));
}

/** An adapter of this base with the base's own head: `targets` alone act unless `replaced` says otherwise. */
export function tinyManifest(base: Base, targets: readonly Json[], overrides: Json = {}): Json {
  const { labels } = tinyBaseManifest();
  const own = { targets, replaced: [], labels, selftest: selftestOf(2), ...overrides };
  return tinyAdapterManifest(base.digest, own);
}

/** Its tensors: small random ones, with the exact principal part at the start. */
export function tinyTensors(manifest: Json): FileTensor[] {
  const start = Object.entries(START).map(([role, data]) => [`${PARAMETER}::${role}`, data] as const);
  return withData(randomAdapterTensors(manifest, tinyArchitecture(), 2), Object.fromEntries(start));
}

/** The same tensors with other values by name. */
export function withData(
  tensors: readonly FileTensor[],
  data: Readonly<Record<string, Float32Array | undefined>>,
): FileTensor[] {
  return tensors.map((tensor) => ({ ...tensor, data: data[tensor.name] ?? tensor.data }));
}

export function adapterFile(manifest: Json, tensors: readonly FileTensor[]): { bytes: Uint8Array; digest: string } {
  const bytes = writeAdapter(manifest, [...tensors]);
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

/** The error that a reading ends with. */
export async function refusal(reading: Promise<unknown>): Promise<ServiceError> {
  const error: unknown = await reading.then(
    () => new Error('nothing was refused'),
    (refused: unknown) => refused,
  );
  if (error instanceof ServiceError) return error;
  throw error;
}
