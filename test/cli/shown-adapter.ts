import type { z } from 'zod';
import type { adapterSchema } from '../../schemas/api.ts';

type Shown = z.infer<typeof adapterSchema>;

/** What a service answers for the adapter `clinic/task`, but for what a test says otherwise. */
export function shownAdapter(changes: Partial<Shown> = {}): Shown {
  return {
    adapter: 'clinic/task',
    description: '',
    latest: 2,
    created_at: '2026-01-31T12:00:00.000Z',
    channels: ['T1'],
    activation: 'softmax',
    labels: [{ value: 0, name: 'background' }],
    inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' },
    provenance: {},
    licence: '',
    intended_use: '',
    version: 2,
    digest: `sha256:${'a'.repeat(64)}`,
    base: `sha256:${'b'.repeat(64)}`,
    status: 'ready',
    problems: [],
    versions: [],
    aliases: {},
    ...changes,
  };
}
