import { type Architecture, baseParameters, isLinearWeight } from '../../schemas/architecture.ts';
import { baseDigestPieces } from '../../schemas/base-digest.ts';
import { lowRankRoles, tensorName } from '../../schemas/roles.ts';
import { readHeader } from '../../schemas/safetensors.ts';
import { targetSchema } from '../../schemas/target.ts';

/** A tensor to write; `data` are its bytes, or F32 numbers. */
export interface FileTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float32Array;
}

export type Json = Record<string, unknown>;

/** A safetensors file: tensors in the order given, the header padded with spaces to a multiple of eight bytes. */
export function writeSafetensors(tensors: readonly FileTensor[], metadata?: Record<string, string>): Uint8Array {
  const header: [string, unknown][] = metadata === undefined ? [] : [['__metadata__', metadata]];
  let end = 0;
  for (const { name, dtype, shape, data } of tensors) {
    header.push([name, { dtype, shape, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const parts = tensors.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return writeContainer(JSON.stringify(Object.fromEntries(header)), parts);
}

/** A file of any header text, for files that no library would write. */
export function writeContainer(headerText: string, data: readonly Uint8Array[] = []): Uint8Array {
  const json = new TextEncoder().encode(headerText);
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return concat([length, padded, ...data]);
}

/** Numbers in [-1, 1), the same for a seed on every machine (mulberry32). */
export function randomNumbers(seed: number, length: number): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

export function tinyArchitecture(overrides: Partial<Architecture> = {}): Architecture {
  return {
    network: 'SwinUNETR',
    feature_size: 12,
    in_channels: 1,
    out_channels: 2,
    depths: [2, 2, 2, 2],
    num_heads: [3, 6, 12, 24],
    window_size: 7,
    patch_merging: 'fixed',
    ...overrides,
  };
}

/** F32 weights of the size a trained network has, so that logits stay finite and of order one. */
export function randomBaseTensors(architecture: Architecture, seed = 1): FileTensor[] {
  return [...baseParameters(architecture)].map(([name, shape], index) => {
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const spread = shape.length === 1 ? 0.1 : Math.sqrt(3 / fanIn);
    const centre = /norm\d?\.weight$/.test(name) ? 1 : 0;
    const numbers = randomNumbers(seed * 1000 + index, count(shape));
    return { name, dtype: 'F32', shape, data: numbers.map((value) => centre + spread * value) };
  });
}

/** Sixteen positions and more over every channel of a 64^3 window; `expected` is zero until a network fills it in. */
export function selftestOf(channels: number, roi: readonly [number, number, number] = [64, 64, 64]): Json {
  const voxels = roi[0] * roi[1] * roi[2];
  const positions = Array.from({ length: Math.max(16, channels) }, (_, i) => (i % channels) * voxels + 1 + i);
  return { roi_size: roi, positions, expected: positions.map(() => 0) };
}

export function tinyBaseManifest(overrides: Json = {}): Json {
  return {
    name: 'tiny',
    architecture: tinyArchitecture(),
    channels: ['T1'],
    inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' },
    activation: 'softmax',
    labels: [
      { value: 0, name: 'background' },
      { value: 1, name: 'foreground' },
    ],
    selftest: selftestOf(2),
    ...overrides,
  };
}

/** A LoRA adapter with a head of its own for three labels. */
export function tinyAdapterManifest(baseDigest: string, overrides: Json = {}): Json {
  return {
    name: 'tiny-adapter',
    base: baseDigest,
    targets: [{ parameter: 'swinViT.layers1.0.blocks.0.attn.qkv.weight', method: 'lora', rank: 2 }],
    replaced: ['out.conv.conv.weight', 'out.conv.conv.bias'],
    activation: 'softmax',
    labels: [
      { value: 0, name: 'background' },
      { value: 1, name: 'left' },
      { value: 2, name: 'right' },
    ],
    channels: ['T1'],
    inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' },
    selftest: selftestOf(3),
    ...overrides,
  };
}

/** Random F32 tensors for every entry of an adapter's manifest; a replaced head has `classes` channels. */
export function randomAdapterTensors(manifest: Json, architecture: Architecture, classes = 3, seed = 7): FileTensor[] {
  const shapes = new Map<string, readonly number[]>();
  const parameters = baseParameters(architecture);
  const shapeOf = (name: string) => parameters.get(name) ?? [];
  for (const target of targetSchema.array().parse(manifest['targets'])) {
    const shape = shapeOf(target.parameter);
    if (target.method === 'delta') {
      shapes.set(tensorName(target.parameter, 'delta'), shape);
    } else if (isLinearWeight(target.parameter)) {
      const roles = lowRankRoles(target, shape[0] ?? 0, shape[1] ?? 0);
      for (const [role, roleShape] of roles) shapes.set(tensorName(target.parameter, role), roleShape);
    }
  }
  for (const name of Array.isArray(manifest['replaced']) ? manifest['replaced'] : []) {
    const shape = shapeOf(String(name));
    shapes.set(
      tensorName(String(name), 'full'),
      String(name).startsWith('out.') ? [classes, ...shape.slice(1)] : shape,
    );
  }
  return [...shapes].map(([name, shape], index) => {
    const numbers = randomNumbers(seed * 1000 + index, count(shape));
    const positive = /::(magnitude|alpha|beta)/.test(name);
    return { name, dtype: 'F32', shape, data: numbers.map((value) => (positive ? 1 + 0.1 * value : 0.1 * value)) };
  });
}

/** A tensor of zeros of any dtype, for tests of the header alone. */
export function zeroTensor(name: string, shape: readonly number[], dtype = 'F32'): FileTensor {
  const bytes = { F32: 4, F16: 2, BF16: 2, I64: 8 }[dtype] ?? 0;
  return { name, dtype, shape, data: new Uint8Array(shape.reduce((a, b) => a * b, bytes)) };
}

/** A change to a list of tensors: one of them left out. */
export function drop(name: string) {
  return (tensors: readonly FileTensor[]): FileTensor[] => tensors.filter((tensor) => tensor.name !== name);
}

/** A change to a list of tensors: one of them with another shape or dtype. */
export function reshape(name: string, shape: readonly number[], dtype = 'F32') {
  return (tensors: readonly FileTensor[]): FileTensor[] =>
    tensors.map((tensor) => (tensor.name === name ? zeroTensor(name, shape, dtype) : tensor));
}

export function writeBase(
  manifest: Json = tinyBaseManifest(),
  tensors = randomBaseTensors(tinyArchitecture()),
): Uint8Array {
  return writeSafetensors(tensors, {
    format: 'pdora-base',
    format_version: '1',
    manifest: JSON.stringify(manifest),
  });
}

export function writeAdapter(manifest: Json, tensors = randomAdapterTensors(manifest, tinyArchitecture())): Uint8Array {
  return writeSafetensors(tensors, {
    format: 'pdora-adapter',
    format_version: '1',
    manifest: JSON.stringify(manifest),
  });
}

/** The base digest of a base file, by the pieces that the format page names. */
export async function digestOfBase(file: Uint8Array, architecture: Architecture): Promise<string> {
  const header = readHeader(file, file.byteLength);
  if (!header.ok) throw new Error(JSON.stringify(header.error));
  const pieces = [...baseDigestPieces(architecture, header.value)];
  const bytes = concat(pieces.map((p) => (p instanceof Uint8Array ? p : file.subarray(p.begin, p.end))));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
