import { describe, expect, it } from 'vitest';
import { parseAdapterManifest, parseBaseManifest } from '../../schemas/manifest.ts';
import { faults, need } from '../support/faults.ts';
import {
  type Json,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
} from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

const adapter = (overrides: Json = {}) => parseAdapterManifest(JSON.stringify(tinyAdapterManifest(DIGEST, overrides)));
const base = (overrides: Json = {}) => parseBaseManifest(JSON.stringify(tinyBaseManifest(overrides)));
const without = (manifest: Json, key: string) => JSON.stringify({ ...manifest, [key]: undefined });

describe('a manifest with the required keys alone', () => {
  it('gets the defaults of the format', () => {
    const defaults = {
      description: '',
      preprocessing: { orientation: null, spacing: null, intensity: { kind: 'none' } },
      postprocessing: { largest_component: [] },
      provenance: {},
      licence: '',
      intended_use: '',
    };
    expect(need(base())).toMatchObject(defaults);
    expect(need(adapter())).toMatchObject(defaults);
    expect(need(adapter()).regions).toBeUndefined();
  });

  it.each(['name', 'architecture', 'channels', 'inference', 'activation', 'labels', 'selftest'])(
    'is no base without %s',
    (key) => {
      expect(faults(parseBaseManifest(without(tinyBaseManifest(), key)))).toEqual([`manifest manifest.${key}`]);
    },
  );

  it.each(['name', 'base', 'targets', 'replaced', 'activation', 'labels', 'channels', 'inference', 'selftest'])(
    'is no adapter without %s',
    (key) => {
      expect(faults(parseAdapterManifest(without(tinyAdapterManifest(DIGEST), key)))).toEqual([
        `manifest manifest.${key}`,
      ]);
    },
  );
});

describe('a manifest as text', () => {
  it.each([
    ['no JSON', '{', 'manifest manifest'],
    ['no object', '[]', 'manifest manifest'],
    ['null', 'null', 'manifest manifest'],
    ['a key twice', '{"name":"a","name":"a"}', 'manifest manifest.name'],
    ['a key twice by an escape', '{"name":"a","n\\u0061me":"a"}', 'manifest manifest.name'],
    ['a key twice deep inside', '{"targets":[{"a":1},{"b":{"c":1,"c":1}}]}', 'manifest manifest.targets[1].b.c'],
    ['a key twice in provenance', '{"provenance":{"x":[1,{"y":1,"y":2}]}}', 'manifest manifest.provenance.x[1].y'],
    ['an unpaired surrogate', '{"name":"\\udc00"}', 'manifest manifest.name'],
  ])('is refused with %s', (_, text, expected) => {
    expect(faults(parseAdapterManifest(text))).toEqual([expected]);
    expect(faults(parseBaseManifest(text))).toEqual([expected]);
  });

  it('may repeat a key in different objects and hold keys that objects inherit', () => {
    const provenance = { constructor: 'x', toString: { constructor: 1 }, list: [{ a: 1 }, { a: 1 }] };
    expect(faults(adapter({ provenance }))).toEqual([]);
    expect(need(adapter({ provenance })).provenance).toEqual(provenance);
  });

  it('is refused with a key called __proto__ outside provenance', () => {
    const text = JSON.stringify(tinyAdapterManifest(DIGEST)).replace('{', '{"__proto__":{"name":"x"},');
    expect(faults(parseAdapterManifest(text))).toEqual(['manifest manifest.__proto__']);
  });
});

describe('a manifest with a key the format does not know', () => {
  const label = { value: 0, name: 'background' };
  const cases: [string, Json][] = [
    ['extra', { extra: 1 }],
    ['labels[1].colour', { labels: [label, { value: 1, name: 'x', colour: [1, 2, 3] }] }],
    ['labels[0].code.extra', { labels: [{ ...label, code: { scheme: 'a', value: 'b', meaning: 'c', extra: 1 } }] }],
    ['preprocessing.crop', { preprocessing: { crop: true } }],
    ['preprocessing.intensity.mask', { preprocessing: { intensity: { kind: 'none', mask: 'all' } } }],
    ['inference.tta', { inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian', tta: true } }],
    ['postprocessing.fill_holes', { postprocessing: { fill_holes: [1] } }],
    ['selftest.seed', { selftest: { ...selftestOf(2), seed: 1 } }],
  ];

  it.each(cases)('is no base: %s', (path, overrides) => {
    expect(faults(base(overrides))).toContain(`manifest manifest.${path}`);
  });

  it.each(cases)('is no adapter: %s', (path, overrides) => {
    expect(faults(adapter(overrides))).toContain(`manifest manifest.${path}`);
  });

  it('is refused with a key of the other kind of file', () => {
    expect(faults(base({ base: DIGEST }))).toEqual(['manifest manifest.base']);
    expect(faults(adapter({ architecture: tinyArchitecture() }))).toEqual(['manifest manifest.architecture']);
    expect(faults(base({ architecture: { ...tinyArchitecture(), dropout: 0 } }))).toEqual([
      'manifest manifest.architecture.dropout',
    ]);
  });

  it('may put anything into provenance', () => {
    expect(faults(base({ provenance: { a: [null, { b: 1 }] } }))).toEqual([]);
    expect(faults(base({ provenance: [] }))).toEqual(['manifest manifest.provenance']);
  });
});

describe('several faults', () => {
  it('are all reported, each where it is', () => {
    const refused = adapter({
      name: 'No',
      extra: 1,
      base: 'x',
      targets: [
        { parameter: QKV, method: 'dora', rank: 1 },
        { parameter: QKV, method: 'nope' },
      ],
      labels: [
        { value: 0, name: 'a' },
        { value: 2, name: 'b' },
      ],
      selftest: selftestOf(1),
    });
    expect(faults(refused).toSorted()).toEqual([
      'labels manifest.labels[1].value',
      'manifest manifest.base',
      'manifest manifest.extra',
      'manifest manifest.name',
      'manifest manifest.selftest.positions',
      'manifest manifest.targets[1].method',
      'norm_axis manifest.targets[0].norm_axis',
    ]);
  });

  it('are bounded in number and length', () => {
    const replaced = Array.from({ length: 4000 }, () => 7);
    const refused = adapter({ replaced, ['x'.repeat(100_000)]: 1, description: Array(100_000).fill(0) });
    expect(faults(refused)).toHaveLength(101);
    expect(JSON.stringify(refused).length).toBeLessThan(50_000);
  });
});
