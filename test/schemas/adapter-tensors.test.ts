import { describe, expect, it } from 'vitest';
import { checkAdapterFile, checkAdapterHeader, checkAdapterWithoutBase } from '../../schemas/rules.ts';
import { readHeader } from '../../schemas/safetensors.ts';
import { faults, need } from '../support/faults.ts';
import {
  drop,
  type FileTensor,
  type Json,
  randomAdapterTensors,
  reshape,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
  zeroTensor,
} from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';
const CONV = 'encoder2.layer.conv1.conv.weight';
const HEAD = ['out.conv.conv.weight', 'out.conv.conv.bias'];
const architecture = tinyArchitecture();
const findBase = (digest: string) => (digest === DIGEST ? architecture : undefined);
const checkAdapter = (file: Uint8Array) => checkAdapterFile(file, file.byteLength, findBase);
const target = (entry: Json) => ({ targets: [{ parameter: QKV, ...entry }] });

/** What is wrong with an adapter whose manifest and then tensors were changed. */
function adapterFaults(overrides: Json, change: (tensors: FileTensor[]) => FileTensor[] = (tensors) => tensors) {
  const manifest = tinyAdapterManifest(DIGEST, overrides);
  return faults(checkAdapter(writeAdapter(manifest, change(randomAdapterTensors(manifest, architecture)))));
}

describe('a valid adapter', () => {
  it.each<[string, Json]>([
    ['lora', { method: 'lora', rank: 2 }],
    ['pissa', { method: 'pissa', rank: 12 }],
    ['loram', { method: 'loram', rank: 1 }],
    ['dora in', { method: 'dora', rank: 2, norm_axis: 'in' }],
    ['dora out', { method: 'dora', rank: 2, norm_axis: 'out' }],
    ['pdora factor', { method: 'pdora', form: 'factor', rank: 2, norm_axis: 'in' }],
    ['pdora additive', { method: 'pdora', form: 'additive', rank: 2, norm_axis: 'out' }],
    ['bora', { method: 'bora', rank: 2 }],
    ['map', { method: 'map', rank: 2 }],
    ['delta', { method: 'delta' }],
    ['delta on a convolution', { method: 'delta', parameter: CONV }],
    ['delta on a bias', { method: 'delta', parameter: 'swinViT.layers1.0.blocks.0.attn.qkv.bias' }],
    ['a merging layer', { method: 'lora', rank: 2, parameter: 'swinViT.layers4.0.downsample.reduction.weight' }],
  ])('passes with %s', (_, entry) => {
    expect(adapterFaults(target(entry))).toEqual([]);
  });

  it('passes by its header alone, with its manifest', () => {
    const file = writeAdapter(tinyAdapterManifest(DIGEST));
    const header = need(readHeader(file, file.byteLength));
    for (const checked of [checkAdapterHeader(header, findBase), checkAdapterWithoutBase(header)]) {
      expect(checked.ok && checked.value.name).toBe('tiny-adapter');
    }
  });

  it('may keep the base head where its labels fit', () => {
    const labels = tinyBaseManifest()['labels'];
    expect(adapterFaults({ replaced: [], labels, selftest: selftestOf(2) })).toEqual([]);
  });

  it('may replace any parameter, in any of the three dtypes', () => {
    const change = (tensors: FileTensor[]) =>
      tensors.map((tensor) =>
        tensor.name === `${CONV}::full` ? zeroTensor(tensor.name, tensor.shape, 'BF16') : tensor,
      );
    expect(adapterFaults({ replaced: [...HEAD, CONV, 'decoder1.transp_conv.conv.weight'] }, change)).toEqual([]);
  });
});

describe("an adapter's tensors", () => {
  it.each<[string, Json, (tensors: FileTensor[]) => FileTensor[], string[]]>([
    ['a tensor that no entry claims', {}, (t) => [...t, zeroTensor('x', [1])], ['x']],
    ['a role of another method', {}, (t) => [...t, zeroTensor(`${QKV}::magnitude`, [12])], [`${QKV}::magnitude`]],
    ['a tensor called __proto__', {}, (t) => [...t, zeroTensor('__proto__', [1])], ['__proto__']],
    ['a missing factor', {}, drop(`${QKV}::down`), [`${QKV}::down`]],
    ['both factors missing', {}, (t) => drop(`${QKV}::up`)(drop(`${QKV}::down`)(t)), [`${QKV}::up`, `${QKV}::down`]],
    ['a missing head', {}, drop('out.conv.conv.bias::full'), ['out.conv.conv.bias::full']],
    ['up transposed', {}, reshape(`${QKV}::up`, [2, 36]), [`${QKV}::up`]],
    ['down of another rank', {}, reshape(`${QKV}::down`, [3, 12]), [`${QKV}::down`]],
    ['up with a third axis', {}, reshape(`${QKV}::up`, [36, 2, 1]), [`${QKV}::up`]],
    ['F16 factors', {}, reshape(`${QKV}::up`, [36, 2], 'F16'), [`${QKV}::up`]],
    ['factors of whole numbers', {}, reshape(`${QKV}::up`, [36, 2], 'I64'), [`${QKV}::up`]],
    [
      'a magnitude along the other axis',
      target({ method: 'dora', rank: 2, norm_axis: 'in' }),
      reshape(`${QKV}::magnitude`, [36]),
      [`${QKV}::magnitude`],
    ],
    [
      'a magnitude in BF16',
      target({ method: 'bora', rank: 2 }),
      reshape(`${QKV}::magnitude_in`, [12], 'BF16'),
      [`${QKV}::magnitude_in`],
    ],
    ['no start factors', target({ method: 'pissa', rank: 2 }), drop(`${QKV}::up0`), [`${QKV}::up0`]],
    ['an alpha that is a list', target({ method: 'map', rank: 2 }), reshape(`${QKV}::alpha`, [1]), [`${QKV}::alpha`]],
    ['a delta of another shape', target({ method: 'delta' }), reshape(`${QKV}::delta`, [12, 36]), [`${QKV}::delta`]],
    [
      'a delta of whole numbers',
      target({ method: 'delta' }),
      reshape(`${QKV}::delta`, [36, 12], 'I64'),
      [`${QKV}::delta`],
    ],
    [
      'a replaced parameter of another shape',
      { replaced: [...HEAD, CONV] },
      reshape(`${CONV}::full`, [24, 12, 3, 3, 3]),
      [`${CONV}::full`],
    ],
    ['a head of another width', {}, reshape(`${HEAD[0]}::full`, [3, 24, 1, 1, 1]), [`${HEAD[0]}::full`]],
    ['a head without its last axes', {}, reshape(`${HEAD[0]}::full`, [3, 12]), [`${HEAD[0]}::full`]],
  ])('are refused with %s', (_, overrides, change, names) => {
    expect(adapterFaults(overrides, change)).toEqual(names.map((name) => `tensors ${name}`));
  });

  it.each<[string, Json, string[]]>([
    ['rank 0', target({ method: 'lora', rank: 0 }), ['targets[0].rank']],
    ['a negative rank', target({ method: 'map', rank: -1 }), ['targets[0].rank']],
    ['a rank over the smaller side', target({ method: 'lora', rank: 13 }), ['targets[0].rank']],
  ])('are refused with %s', (_, overrides, paths) => {
    const valid = tinyAdapterManifest(DIGEST, target({ method: 'map', rank: 2 }));
    const method = JSON.stringify(overrides).includes('map');
    const tensors = randomAdapterTensors(method ? valid : tinyAdapterManifest(DIGEST), architecture);
    const file = writeAdapter(tinyAdapterManifest(DIGEST, overrides), tensors);
    expect(faults(checkAdapter(file))).toEqual(paths.map((path) => `tensors manifest.${path}`));
  });

  it('are refused where a parameter is claimed twice, whoever claims it', () => {
    const lora = { parameter: QKV, method: 'lora', rank: 2 };
    expect(adapterFaults({ targets: [lora, lora] })).toEqual(['tensors manifest.targets[1].parameter']);
    expect(adapterFaults({ targets: [lora, { parameter: QKV, method: 'delta' }] })).toEqual([
      'tensors manifest.targets[1].parameter',
    ]);
    expect(adapterFaults({ replaced: [...HEAD, QKV] })).toEqual(['tensors manifest.replaced[2]']);
    expect(adapterFaults({ replaced: [...HEAD, HEAD[1]] })).toEqual(['tensors manifest.replaced[2]']);
  });

  it('are refused for a parameter that the base lacks', () => {
    const unknown = 'swinViT.layers1.0.blocks.7.attn.qkv.weight';
    const rename = (tensors: FileTensor[]) =>
      tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(QKV, unknown) }));
    const manifest = tinyAdapterManifest(DIGEST, target({ method: 'lora', rank: 2 }));
    const tensors = rename(randomAdapterTensors(manifest, architecture));
    const file = writeAdapter({ ...manifest, ...target({ method: 'lora', rank: 2, parameter: unknown }) }, tensors);
    expect(faults(checkAdapter(file))).toEqual(['tensors manifest.targets[0].parameter']);
    expect(adapterFaults({ replaced: [...HEAD, 'toString'] })).toEqual(['tensors manifest.replaced[2]']);
  });

  it.each([
    CONV,
    'swinViT.layers1.0.blocks.0.attn.qkv.bias',
    'swinViT.layers1.0.blocks.0.attn.relative_position_bias_table',
    'swinViT.patch_embed.proj.weight',
    'out.conv.conv.weight',
  ])('are refused for a low-rank method on %s', (parameter) => {
    const tensors = (list: FileTensor[]) => [
      ...list,
      zeroTensor(`${parameter}::up`, [2, 2]),
      zeroTensor(`${parameter}::down`, [2, 2]),
    ];
    const replaced = HEAD.filter((name) => name !== parameter);
    const lora = { targets: [{ parameter, method: 'lora', rank: 2 }], replaced };
    expect(adapterFaults(lora, tensors)).toContain('tensors manifest.targets[0].parameter');
  });
});

describe("an adapter's head", () => {
  const four = [0, 1, 2, 3].map((value) => ({ value, name: `label ${value}` }));

  it.each<[string, Json, (tensors: FileTensor[]) => FileTensor[], string[]]>([
    [
      'more labels than channels',
      { labels: four, selftest: selftestOf(4) },
      (t) => t,
      [`${HEAD[0]}::full`, `${HEAD[1]}::full`],
    ],
    ['a bias of another count', {}, reshape(`${HEAD[1]}::full`, [2]), [`${HEAD[1]}::full`]],
    ['the base head and other labels', { replaced: [] }, (t) => t, ['manifest.labels']],
    ['only its weight replaced', { replaced: [HEAD[0]] }, (t) => t, ['manifest.labels']],
    [
      'fewer regions than channels',
      { activation: 'sigmoid', regions: [{ name: 'a', value: 1 }], selftest: selftestOf(1) },
      (t) => t,
      [`${HEAD[0]}::full`, `${HEAD[1]}::full`],
    ],
  ])('is refused with %s', (_, overrides, change, paths) => {
    expect(adapterFaults(overrides, change)).toEqual(paths.map((path) => `labels ${path}`));
  });

  it('has a channel a region with sigmoid, however many labels there are', () => {
    const regions = [1, 2, 1].map((value, i) => ({ name: `r${i}`, value }));
    expect(adapterFaults({ activation: 'sigmoid', regions, labels: four })).toEqual([]);
  });

  it('goes with as many channels of input as the base has', () => {
    expect(adapterFaults({ channels: ['T1', 'T2'] })).toEqual(['labels manifest.channels']);
  });
});
