import { describe, expect, it } from 'vitest';
import { checkBaseFile, checkBaseHeader } from '../../schemas/rules.ts';
import { readHeader } from '../../schemas/safetensors.ts';
import { faults, need } from '../support/faults.ts';
import {
  drop,
  type FileTensor,
  randomBaseTensors,
  reshape,
  tinyArchitecture,
  tinyBaseManifest,
  writeBase,
  writeSafetensors,
  zeroTensor,
} from '../support/safetensors-file.ts';

const architecture = tinyArchitecture();
const baseTensors = randomBaseTensors(architecture);
const checkBase = (file: Uint8Array) => checkBaseFile(file, file.byteLength);

describe('a valid base', () => {
  it('passes with its manifest, by its header alone', () => {
    const file = writeBase();
    const header = need(readHeader(file, file.byteLength));
    const checked = checkBaseHeader(header);
    expect(checked.ok && checked.value.architecture).toEqual(architecture);
  });

  it.each(['F16', 'BF16'])('may hold %s', (dtype) => {
    const tensors = baseTensors.map((tensor) => zeroTensor(tensor.name, tensor.shape, dtype));
    expect(faults(checkBase(writeBase(tinyBaseManifest(), tensors)))).toEqual([]);
  });

  it('has 151 tensors', () => {
    expect(baseTensors).toHaveLength(151);
  });
});

describe('a base', () => {
  const conv = 'decoder3.conv_block.conv1.conv.weight';
  it.each<[string, (tensors: FileTensor[]) => FileTensor[], string]>([
    ['a missing tensor', drop(conv), conv],
    ['an extra tensor', (tensors) => [...tensors, zeroTensor('extra', [1])], 'extra'],
    [
      'the index buffers of MONAI',
      (tensors) => [...tensors, zeroTensor('swinViT.layers1.0.blocks.0.attn.relative_position_index', [1, 1])],
      'swinViT.layers1.0.blocks.0.attn.relative_position_index',
    ],
    ['another shape', reshape(conv, [24, 48, 3, 3]), conv],
    ['sides in another order', reshape(conv, [96, 48, 3, 3, 3]), conv],
    ['whole numbers', reshape(conv, [24, 48, 3, 3, 3], 'I64'), conv],
  ])('is refused with %s', (_, change, name) => {
    expect(faults(checkBase(writeBase(tinyBaseManifest(), change(baseTensors))))).toEqual([`tensors ${name}`]);
  });

  it('is refused with the parameters of another feature size, all of them', () => {
    const manifest = tinyBaseManifest({ architecture: tinyArchitecture({ feature_size: 24 }) });
    const found = faults(checkBase(writeBase(manifest, baseTensors)));
    expect(found).toHaveLength(101);
    expect(new Set(found.map((line) => line.split(' ')[0]))).toEqual(new Set(['tensors']));
  });
});

const baseJson = () => JSON.stringify(tinyBaseManifest());
const metadataFaults = (metadata: Record<string, string> | undefined) =>
  faults(checkBase(writeSafetensors(baseTensors, metadata)));

describe('the metadata', () => {
  it.each<[string, () => Record<string, string> | undefined, string[]]>([
    ['without any', () => undefined, ['format', 'format_version', 'manifest']],
    ['without format', () => ({ format_version: '1', manifest: baseJson() }), ['format']],
    ['with another format', () => ({ format: 'pdora-adapter', format_version: '1', manifest: baseJson() }), ['format']],
    [
      'with another version',
      () => ({ format: 'pdora-base', format_version: '2', manifest: baseJson() }),
      ['format_version'],
    ],
    [
      'with a version like 1.0',
      () => ({ format: 'pdora-base', format_version: '1.0', manifest: baseJson() }),
      ['format_version'],
    ],
    ['without manifest', () => ({ format: 'pdora-base', format_version: '1' }), ['manifest']],
  ])('is refused %s', (_, metadata, keys) => {
    expect(metadataFaults(metadata())).toEqual(keys.map((key) => `manifest __metadata__.${key}`));
  });

  it('may hold entries of other tools', () => {
    expect(metadataFaults({ format: 'pdora-base', format_version: '1', manifest: baseJson(), made_by: 'x' })).toEqual(
      [],
    );
  });
});
