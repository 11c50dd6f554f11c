import { describe, expect, it } from 'vitest';
import { parseAdapterManifest, parseBaseManifest } from '../../schemas/manifest.ts';
import { faults } from '../support/faults.ts';
import { type Json, tinyAdapterManifest, tinyArchitecture, tinyBaseManifest } from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;

const adapter = (overrides: Json = {}) => parseAdapterManifest(JSON.stringify(tinyAdapterManifest(DIGEST, overrides)));
const base = (overrides: Json = {}) => parseBaseManifest(JSON.stringify(tinyBaseManifest(overrides)));

describe('the values of a manifest', () => {
  const inference = { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' };
  const range = { kind: 'range', from: [0, 1], to: [0, 1], clip: true };
  it.each<[string, Json]>([
    ['name', { name: 'Upper' }],
    ['name', { name: '-dash' }],
    ['name', { name: '' }],
    ['name', { name: 'a'.repeat(65) }],
    ['name', { name: 'line\n' }],
    ['name', { name: '../up' }],
    ['description', { description: 1 }],
    ['licence', { licence: null }],
    ['intended_use', { intended_use: [] }],
    ['channels', { channels: [] }],
    ['channels[0]', { channels: [''] }],
    ['channels', { channels: ['T1', 'T1'] }],
    ['activation', { activation: 'argmax' }],
    ['inference.overlap', { inference: { ...inference, overlap: 0.81 } }],
    ['inference.overlap', { inference: { ...inference, overlap: -0.1 } }],
    ['inference.overlap', { inference: { ...inference, overlap: '0.5' } }],
    ['inference.blend', { inference: { ...inference, blend: 'linear' } }],
    ['inference.blend', { inference: { roi_size: [64, 64, 64], overlap: 0.5 } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [32, 32, 32] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64, 63] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64, 0] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64, -64] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64, 224] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64] } }],
    ['inference.roi_size', { inference: { ...inference, roi_size: [64, 64, 64, 64] } }],
    ['inference.roi_size[2]', { inference: { ...inference, roi_size: [64, 64, 64.5] } }],
    ['preprocessing.orientation', { preprocessing: { orientation: 'RAR' } }],
    ['preprocessing.orientation', { preprocessing: { orientation: 'ras' } }],
    ['preprocessing.orientation', { preprocessing: { orientation: 'RASL' } }],
    ['preprocessing.spacing[1]', { preprocessing: { spacing: [1, 0.29, 1] } }],
    ['preprocessing.spacing[2]', { preprocessing: { spacing: [1, 1, 10.1] } }],
    ['preprocessing.spacing', { preprocessing: { spacing: [1, 1] } }],
    ['preprocessing.spacing', { preprocessing: { spacing: 1 } }],
    ['preprocessing.intensity.kind', { preprocessing: { intensity: { kind: 'minmax' } } }],
    ['preprocessing.intensity.mask', { preprocessing: { intensity: { kind: 'zscore' } } }],
    ['preprocessing.intensity.mask', { preprocessing: { intensity: { kind: 'zscore', mask: 'brain' } } }],
    ['preprocessing.intensity.from', { preprocessing: { intensity: { ...range, from: undefined } } }],
    ['preprocessing.intensity.to', { preprocessing: { intensity: { ...range, to: [1] } } }],
    ['preprocessing.intensity.clip', { preprocessing: { intensity: { ...range, clip: undefined } } }],
    ['preprocessing.intensity.from', { preprocessing: { intensity: { ...range, from: [2, 2] } } }],
    ['postprocessing.largest_component[0]', { postprocessing: { largest_component: ['1'] } }],
    ['labels[1].name', { labels: [{ value: 0, name: 'a' }, { value: 1 }] }],
    [
      'labels[1].value',
      {
        labels: [
          { value: 0, name: 'a' },
          { value: -1, name: 'b' },
        ],
      },
    ],
    ['labels[0].color[2]', { labels: [{ value: 0, name: 'a', color: [0, 0, 256] }] }],
    ['labels[0].color', { labels: [{ value: 0, name: 'a', color: [0, 0] }] }],
    ['labels[0].code.scheme', { labels: [{ value: 0, name: 'a', code: { value: 'x', meaning: 'y' } }] }],
  ])('are refused at %s: %j', (path, overrides) => {
    expect(faults(base(overrides))).toContain(`manifest manifest.${path}`);
    expect(faults(adapter(overrides))).toContain(`manifest manifest.${path}`);
  });

  it.each<Json>([
    { name: 'a' },
    { name: '0a._-' },
    { name: 'a'.repeat(64) },
    { inference: { ...inference, overlap: 0 } },
    { inference: { ...inference, overlap: 0.8, blend: 'constant' } },
    { inference: { ...inference, roi_size: [32, 32, 64] } },
    { inference: { ...inference, roi_size: [192, 160, 96] } },
    {
      preprocessing: { orientation: 'LPI', spacing: [0.3, 10, 1.25], intensity: { kind: 'zscore', mask: 'positive' } },
    },
    { preprocessing: { orientation: null, spacing: null, intensity: { ...range, from: [250, -175], clip: false } } },
    { postprocessing: { largest_component: [1, 0] } },
    { channels: ['T1 (post contrast)'] },
  ])('are accepted: %j', (overrides) => {
    expect(faults(base(overrides))).toEqual([]);
    expect(faults(adapter(overrides))).toEqual([]);
  });

  it.each<[string, Json]>([
    ['network', { network: 'UNETR' }],
    ['feature_size', { feature_size: 18 }],
    ['feature_size', { feature_size: 0 }],
    ['feature_size', { feature_size: 204 }],
    ['in_channels', { in_channels: 9 }],
    ['in_channels', { in_channels: 0 }],
    ['out_channels', { out_channels: 0 }],
    ['out_channels', { out_channels: 2.5 }],
    ['depths', { depths: [2, 2, 2] }],
    ['depths[3]', { depths: [2, 2, 2, 0] }],
    ['num_heads[0]', { num_heads: [5, 6, 12, 24] }],
    ['num_heads[1]', { num_heads: [3, 0, 12, 24] }],
    ['window_size', { window_size: 8 }],
    ['patch_merging', { patch_merging: 'merging' }],
    ['patch_merging', { patch_merging: undefined }],
  ])('are refused at architecture.%s: %j', (path, overrides) => {
    const architecture = { ...tinyArchitecture(), ...overrides };
    expect(faults(base({ architecture }))).toContain(`manifest manifest.architecture.${path}`);
  });

  it.each(['sha256:abc', `sha256:${'0F'.repeat(32)}`, '0f'.repeat(32), 7])('are refused at base: %j', (digest) => {
    expect(faults(adapter({ base: digest }))).toEqual(['manifest manifest.base']);
  });

  it('say what was expected and what was found', () => {
    const refused = adapter({ inference: { ...inference, overlap: 0.95 }, name: 7 });
    if (refused.ok) throw new Error('accepted');
    expect(refused.error.map((found) => found.message)).toEqual([
      'expected string, found 7',
      'Too big: expected number to be <=0.8, found 0.95',
    ]);
  });
});
