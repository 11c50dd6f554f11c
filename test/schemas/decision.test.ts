import { describe, expect, it } from 'vitest';
import { parseAdapterManifest, parseBaseManifest } from '../../schemas/manifest.ts';
import { faults } from '../support/faults.ts';
import {
  type Json,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
} from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;

const adapter = (overrides: Json = {}) => parseAdapterManifest(JSON.stringify(tinyAdapterManifest(DIGEST, overrides)));
const base = (overrides: Json = {}) => parseBaseManifest(JSON.stringify(tinyBaseManifest(overrides)));

const named = (...values: number[]) => values.map((label) => ({ value: label, name: `label ${label}` }));

describe('labels and regions', () => {
  const regions = [
    { name: 'WT', value: 2 },
    { name: 'TC', value: 1 },
  ];

  it.each([
    ['no label', [], 'labels manifest.labels'],
    ['a gap', named(0, 1, 3), 'labels manifest.labels[2].value'],
    ['no background', named(1, 2, 3), 'labels manifest.labels[0].value'],
    ['a value twice', named(0, 1, 1), 'labels manifest.labels[2].value'],
    ['another order', named(0, 2, 1), 'labels manifest.labels[1].value'],
  ])('are refused with %s', (_, labels, expected) => {
    expect(faults(adapter({ labels }))).toContain(expected);
    expect(faults(base({ labels }))).toContain(expected);
  });

  it('come with regions exactly where the activation is sigmoid', () => {
    expect(faults(adapter({ activation: 'sigmoid', regions, selftest: selftestOf(2) }))).toEqual([]);
    expect(faults(adapter({ activation: 'sigmoid' }))).toEqual(['manifest manifest.regions']);
    expect(faults(adapter({ regions }))).toEqual(['manifest manifest.regions']);
    expect(faults(adapter({ activation: 'sigmoid', regions: [] }))).toEqual(['manifest manifest.regions']);
  });

  it('refuse a value of a region or component that no label has', () => {
    const selftest = selftestOf(2);
    const unknown = [regions[0], { name: 'ET', value: 3 }];
    expect(faults(adapter({ activation: 'sigmoid', regions: unknown, selftest }))).toEqual([
      'labels manifest.regions[1].value',
    ]);
    expect(faults(adapter({ postprocessing: { largest_component: [1, 3] } }))).toEqual([
      'labels manifest.postprocessing.largest_component[1]',
    ]);
  });

  it('agree in number with the head of a base', () => {
    expect(faults(base({ architecture: tinyArchitecture({ out_channels: 3 }) }))).toEqual([
      'labels manifest.architecture.out_channels',
    ]);
    expect(faults(base({ activation: 'sigmoid', labels: named(0, 1, 2), regions }))).toEqual([]);
  });

  it('leave the channels of a base equal to its in_channels', () => {
    expect(faults(base({ channels: ['T1', 'T2'] }))).toEqual(['labels manifest.channels']);
    const architecture = tinyArchitecture({ in_channels: 2 });
    expect(faults(base({ channels: ['T1', 'T2'], architecture }))).toEqual([]);
  });
});

describe('the self-test', () => {
  const voxels = 64 ** 3;
  const valid = { roi_size: [64, 64, 64], positions: selftestOf(3)['positions'], expected: selftestOf(3)['expected'] };
  const positions = (change: (list: number[]) => void) => {
    const list = Array.from({ length: 16 }, (_, i) => (i % 3) * voxels + i);
    change(list);
    return { ...valid, positions: list };
  };

  it('takes 16 to 256 positions', () => {
    const many = Array.from({ length: 257 }, (_, i) => (i % 3) * voxels + i);
    const of = (count: number) => ({ ...valid, positions: many.slice(0, count), expected: many.slice(0, count) });
    expect(faults(adapter({ selftest: of(16) }))).toEqual([]);
    expect(faults(adapter({ selftest: of(256) }))).toEqual([]);
    const both = ['manifest manifest.selftest.positions', 'manifest manifest.selftest.expected'];
    expect(faults(adapter({ selftest: of(15) }))).toEqual(both);
    expect(faults(adapter({ selftest: of(257) }))).toEqual(both);
  });

  it.each<[string, Json, string]>([
    ['a position twice', positions((list) => list.splice(15, 1, list[3] ?? 0)), 'positions[15]'],
    ['a position past the logits', positions((list) => list.splice(5, 1, 3 * voxels)), 'positions[5]'],
    ['a negative position', positions((list) => list.splice(5, 1, -1)), 'positions[5]'],
    ['a fractional position', positions((list) => list.splice(5, 1, 0.5)), 'positions[5]'],
    ['a channel without a position', positions((list) => list.splice(0, 16, ...list.keys())), 'positions'],
    ['fewer values than positions', { ...positions(() => {}), expected: Array(17).fill(0) }, 'expected'],
    ['a value that is no number', { ...valid, expected: [...Array(15).fill(0), null] }, 'expected[15]'],
    ['an illegal window', { ...valid, roi_size: [32, 32, 32] }, 'roi_size'],
    ['no window', { ...valid, roi_size: undefined }, 'roi_size'],
  ])('is refused with %s', (_, selftest, path) => {
    expect(faults(adapter({ selftest }))).toEqual([`manifest manifest.selftest.${path}`]);
  });

  it('is refused with a value that JSON cannot hold finitely', () => {
    const text = JSON.stringify(tinyAdapterManifest(DIGEST)).replace('"expected":[0', '"expected":[1e999');
    expect(faults(parseAdapterManifest(text))).toEqual(['manifest manifest.selftest.expected[0]']);
  });

  it('may have another window than inference', () => {
    const selftest = selftestOf(3, [32, 96, 64]);
    expect(faults(adapter({ selftest }))).toEqual([]);
  });

  it('counts channels by regions with sigmoid', () => {
    const labels = [
      { value: 0, name: 'a' },
      { value: 1, name: 'b' },
    ];
    const regions = [1, 1, 1].map((label, i) => ({ name: `r${i}`, value: label }));
    expect(faults(adapter({ activation: 'sigmoid', labels, regions, selftest: selftestOf(3) }))).toEqual([]);
    expect(faults(adapter({ activation: 'sigmoid', labels, regions, selftest: selftestOf(2) }))).toEqual([
      'manifest manifest.selftest.positions',
    ]);
  });
});
