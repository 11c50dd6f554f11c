import { type CompiledAdapter, sessionKind } from '../../gpu-runner/adapter/compiled.ts';

/** An adapter as the network sees it; its manifest is one that nothing here looks at. */
export function compiledAdapter(parts: Pick<CompiledAdapter, 'digest'> & Partial<CompiledAdapter>): CompiledAdapter {
  const replaced = parts.replaced ?? new Map();
  return {
    kind: sessionKind(replaced.keys()),
    slots: new Map(),
    warnings: [],
    bytes: 1024,
    manifest: {
      name: 'adapter',
      description: '',
      base: 'sha256:small',
      targets: [],
      replaced: [],
      activation: 'softmax',
      labels: [],
      channels: ['T1'],
      preprocessing: { orientation: null, spacing: null, intensity: { kind: 'none' } },
      inference: { roi_size: [64, 64, 64], overlap: 0, blend: 'constant' },
      postprocessing: { largest_component: [] },
      selftest: { roi_size: [64, 64, 64], positions: [], expected: [] },
      provenance: {},
      licence: '',
      intended_use: '',
    },
    ...parts,
    replaced,
  };
}
