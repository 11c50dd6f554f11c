import { patchManifest } from './damage.ts';
import type { DamagedFile } from './damaged-file.ts';

type Manifest = Record<string, unknown>;

/** What a manifest may not say; each is a change to the top level of a good one. */
const CHANGES: readonly [string, Manifest][] = [
  ['another base', { base: `sha256:${'0'.repeat(64)}` }],
  ['a base that is no digest', { base: 'latest' }],
  ['no base', { base: undefined }],
  ['a name that is a path', { name: '../x' }],
  ['no targets and nothing replaced', { targets: [], replaced: [] }],
  ['no targets', { targets: [] }],
  ['nothing replaced', { replaced: [] }],
  ['a head half replaced', { replaced: ['out.conv.conv.weight'] }],
  ['a parameter replaced twice', { replaced: ['out.conv.conv.weight', 'out.conv.conv.bias', 'out.conv.conv.bias'] }],
  ['an unknown parameter replaced', { replaced: ['out.conv.conv.weight', 'out.conv.conv.bias', 'nothing'] }],
  ['targets that are no list', { targets: {} }],
  ['another activation', { activation: 'relu' }],
  ['regions missing', { activation: 'sigmoid' }],
  ['regions too many', { regions: [{ name: 'all', value: 1 }] }],
  [
    'a label missing',
    {
      labels: [
        { value: 0, name: 'background' },
        { value: 1, name: 'left' },
      ],
    },
  ],
  ['a gap in the labels', { labels: [0, 1, 3].map((value) => ({ value, name: `label ${value}` })) }],
  ['labels that do not begin at 0', { labels: [1, 2, 3].map((value) => ({ value, name: `label ${value}` })) }],
  ['no labels', { labels: [] }],
  ['two channels', { channels: ['T1', 'T2'] }],
  ['a channel twice', { channels: ['T1', 'T1'] }],
  ['no channels', { channels: [] }],
  ['a window of 33', { inference: { roi_size: [33, 32, 64], overlap: 0.5, blend: 'gaussian' } }],
  ['a window of 224', { inference: { roi_size: [224, 224, 224], overlap: 0.5, blend: 'gaussian' } }],
  ['a window without a bottleneck', { inference: { roi_size: [32, 32, 32], overlap: 0.5, blend: 'gaussian' } }],
  ['a negative window', { inference: { roi_size: [-64, 64, 64], overlap: 0.5, blend: 'gaussian' } }],
  ['an overlap of 0.9', { inference: { roi_size: [32, 32, 64], overlap: 0.9, blend: 'gaussian' } }],
  ['an overlap of 1', { inference: { roi_size: [32, 32, 64], overlap: 1, blend: 'gaussian' } }],
  ['another blend', { inference: { roi_size: [32, 32, 64], overlap: 0.5, blend: 'max' } }],
  ['a spacing of 0', { preprocessing: { spacing: [0, 1, 1] } }],
  ['a spacing of 0.29', { preprocessing: { spacing: [1, 1, 0.29] } }],
  ['a spacing of 11', { preprocessing: { spacing: [1, 11, 1] } }],
  ['an orientation that is none', { preprocessing: { orientation: 'RRS' } }],
  ['another intensity', { preprocessing: { intensity: { kind: 'minmax' } } }],
  ['a range of nothing', { preprocessing: { intensity: { kind: 'range', from: [1, 1], to: [0, 1], clip: true } } }],
  ['a component of no label', { postprocessing: { largest_component: [7] } }],
  ['no self-test', { selftest: undefined }],
  ['an unknown key', { entry_point: 'run.py' }],
  ['an unknown key inside', { preprocessing: { url: 'http://example.org' } }],
];

const TARGETS: readonly [string, Manifest][] = [
  ['an unknown method', { method: 'exec' }],
  ['a method that lacks its axis', { method: 'dora' }],
  ['rank 0', { rank: 0 }],
  ['rank -1', { rank: -1 }],
  ['rank 1.5', { rank: 1.5 }],
  ['rank 13', { rank: 13 }],
  ['rank 2^53', { rank: 2 ** 53 }],
  ['a scale that is text', { scale: '1' }],
  ['an unknown parameter', { parameter: 'swinViT.layers9.0.blocks.0.attn.qkv.weight' }],
  ['a convolution', { parameter: 'encoder1.layer.conv1.conv.weight' }],
  ['an unknown key', { alpha: 1 }],
];

const SELFTESTS: readonly [string, Manifest][] = [
  ['without positions', { positions: [] }],
  ['of one position', { positions: [1], expected: [0] }],
  ['with fewer answers', { expected: Array<number>(16).fill(0).slice(1) }],
  ['with a position twice', { positions: Array<number>(16).fill(5) }],
  ['outside the window', { positions: Array.from({ length: 16 }, (_, n) => 1e9 + n) }],
  ['with an answer that is no number', { expected: Array<null>(16).fill(null) }],
  ['in a window of 31', { roi_size: [31, 32, 64] }],
];

/** A manifest that says what it may not: the edge tells. */
export function manifests(file: Uint8Array): DamagedFile[] {
  const changed = (kind: string, change: (manifest: Manifest) => void): DamagedFile => ({
    kind: `manifest with ${kind}`,
    bytes: patchManifest(file, change),
    fate: { by: 'edge' },
  });
  return [
    ...CHANGES.map(([kind, change]) => changed(kind, (manifest) => Object.assign(manifest, change))),
    ...TARGETS.map(([kind, change]) => changed(kind, ({ targets }) => Object.assign(first(targets), change))),
    ...SELFTESTS.map(([kind, change]) =>
      changed(`a self-test ${kind}`, ({ selftest }) => Object.assign(object(selftest), change)),
    ),
  ];
}

function first(list: unknown): object {
  return object(Array.isArray(list) ? list[0] : undefined);
}

function object(value: unknown): object {
  if (typeof value !== 'object' || value === null) throw new Error('expected an object in the manifest');
  return value;
}
