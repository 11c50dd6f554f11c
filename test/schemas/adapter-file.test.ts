import { describe, expect, it } from 'vitest';
import { ADAPTER_MAX_BYTES, BASE_MAX_BYTES } from '../../schemas/limits.ts';
import { checkAdapterFile, checkBaseFile } from '../../schemas/rules.ts';
import { readHeader } from '../../schemas/safetensors.ts';
import { faults, need } from '../support/faults.ts';
import {
  drop,
  type FileTensor,
  type Json,
  randomAdapterTensors,
  reshape,
  tinyAdapterManifest,
  tinyArchitecture,
  writeAdapter,
  writeContainer,
  zeroTensor,
} from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';
const PROJ = 'swinViT.layers1.0.blocks.0.attn.proj.weight';
const HEAD = ['out.conv.conv.weight', 'out.conv.conv.bias'];
const architecture = tinyArchitecture();
const findBase = (digest: string) => (digest === DIGEST ? architecture : undefined);
const checkAdapter = (file: Uint8Array) => checkAdapterFile(file, file.byteLength, findBase);
const target = (entry: Json) => ({ targets: [{ parameter: QKV, ...entry }] });

describe('an adapter and its base', () => {
  it('is refused where the base is not served here, with all that needs no base', () => {
    const manifest = tinyAdapterManifest(`sha256:${'0'.repeat(64)}`);
    const tensors = drop(`${QKV}::down`)(randomAdapterTensors(manifest, architecture));
    expect(faults(checkAdapter(writeAdapter(manifest, tensors)))).toEqual([
      'unknown_base manifest.base',
      `tensors ${QKV}::down`,
    ]);
  });

  it('is checked without a base for all that the file alone tells', () => {
    const manifest = tinyAdapterManifest(DIGEST, { channels: ['T1', 'T2', 'T3'] });
    const tensors = randomAdapterTensors(manifest, architecture);
    const check = (list: FileTensor[], overrides: Json = {}) => {
      const file = writeAdapter({ ...manifest, ...overrides }, list);
      return faults(checkAdapterFile(file, file.byteLength, null));
    };
    expect(check(tensors)).toEqual([]);
    expect(check(reshape(`${QKV}::down`, [3, 12])(tensors))).toEqual([`tensors ${QKV}::down`]);
    expect(check(tensors, target({ method: 'lora', rank: 40 }))).toEqual(['tensors manifest.targets[0].rank']);
    expect(check(tensors, target({ method: 'lora', rank: 2, parameter: PROJ }))).toEqual([
      `tensors ${PROJ}::up`,
      `tensors ${PROJ}::down`,
      `tensors ${QKV}::up`,
      `tensors ${QKV}::down`,
    ]);
    expect(check(reshape(`${HEAD[1]}::full`, [2])(tensors))).toEqual([`labels ${HEAD[1]}::full`]);
  });
});

/** A header that claims one tensor of so many bytes; the data itself is not needed. */
function sized(bytes: number, metadata: Record<string, string>) {
  const header = { __metadata__: metadata, x: { dtype: 'F16', shape: [bytes / 2], data_offsets: [0, bytes] } };
  const file = writeContainer(JSON.stringify(header));
  return { file, fileBytes: file.byteLength + bytes };
}

describe('the size of a file', () => {
  it('is at most 256 MiB for an adapter, 1 GiB for a base, by what the header says', () => {
    const metadata = { format: 'pdora-adapter', format_version: '1', manifest: '[]' };
    const adapter = sized(ADAPTER_MAX_BYTES, metadata);
    expect(faults(checkAdapterFile(adapter.file, adapter.fileBytes, findBase))[0]).toBe('container ');
    expect(faults(checkBaseFile(adapter.file, adapter.fileBytes))[0]).not.toBe('container ');
    const base = sized(BASE_MAX_BYTES, metadata);
    expect(faults(checkBaseFile(base.file, base.fileBytes))[0]).toBe('container ');
  });
});

describe('a file with faults of every kind', () => {
  it('has all of them reported at once', () => {
    const manifest = tinyAdapterManifest(`sha256:${'0'.repeat(64)}`, {
      targets: [
        { parameter: QKV, method: 'lora', rank: 2 },
        { parameter: PROJ, method: 'pdora', form: 'factor', rank: 2 },
      ],
      inference: { roi_size: [64, 64, 64], overlap: 0.9, blend: 'gaussian' },
      labels: [
        { value: 0, name: 'a' },
        { value: 1, name: 'b' },
        { value: 3, name: 'c' },
      ],
    });
    const valid = { ...manifest, targets: [{ parameter: QKV, method: 'lora', rank: 2 }] };
    const tensors = [
      ...drop(`${QKV}::down`)(randomAdapterTensors(valid, architecture)),
      zeroTensor(`${PROJ}::up`, [12, 2]),
    ];
    const file = writeAdapter(manifest, [...tensors, zeroTensor('stray', [1])]);
    expect(faults(checkAdapterFile(file, file.byteLength + 1, findBase))).toEqual([
      'container ',
      'manifest manifest.inference.overlap',
      'norm_axis manifest.targets[1].norm_axis',
      'labels manifest.labels[2].value',
      'unknown_base manifest.base',
      `tensors ${QKV}::down`,
      'tensors stray',
    ]);
  });
});

describe('an adapter with any byte of its header changed', () => {
  it('never makes a check throw', () => {
    const manifest = tinyAdapterManifest(DIGEST, target({ method: 'pdora', form: 'factor', rank: 2, norm_axis: 'in' }));
    const file = writeAdapter(manifest);
    const header = need(readHeader(file, file.byteLength));
    for (let at = 0; at < header.headerBytes; at += 3) {
      for (const change of [1, 16, 255]) {
        const damaged = file.slice(0, header.headerBytes);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        const checked = checkAdapterFile(damaged, file.byteLength, findBase);
        if (!checked.ok) expect(checked.error.every((found) => found.message !== '')).toBe(true);
      }
    }
  });
});
