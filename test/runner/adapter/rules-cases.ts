/** Files that break one rule of the runner each, and files close by that break none. */

import type { Json } from '../../support/safetensors-file.ts';
import { columns, IN, OUT, PARAMETER, RANK, rows, START } from './tiny-model.ts';

export const TARGET = 'manifest.targets[0]';

export type Roles = Readonly<Record<string, Float32Array>>;

export interface Case {
  readonly name: string;
  readonly target: Json;
  /** Values by role that make the fault. */
  readonly roles: Roles;
  readonly code: string;
  readonly path?: string;
}

export const fill = (length: number, value: number) => new Float32Array(length).fill(value);
export const lora = { method: 'lora', rank: RANK };
export const map = { method: 'map', rank: RANK };
const bora = { method: 'bora', rank: RANK };
const pissa = { method: 'pissa', rank: RANK };
const loram = { method: 'loram', rank: RANK };
export const dora = (norm_axis: string) => ({ method: 'dora', rank: RANK, norm_axis });
export const factor = (norm_axis: string) => ({ method: 'pdora', form: 'factor', rank: RANK, norm_axis });
const additive = (norm_axis: string) => ({ method: 'pdora', form: 'additive', rank: RANK, norm_axis });
export const delta = { method: 'delta' };

/** Turns the start factors by this angle out of the principal directions. */
export function turned(radians: number): Roles {
  const up0 = columns([8 * Math.cos(radians), 6]);
  up0[RANK * RANK] = 8 * Math.sin(radians);
  return { up0 };
}

export const notFinite: Case[] = [
  {
    name: 'a NaN in a factor',
    target: lora,
    roles: { up: fill(OUT * RANK, 0.1).with(3, Number.NaN) },
    code: 'not_finite',
    path: `${PARAMETER}::up`,
  },
  {
    name: 'an infinity in a magnitude',
    target: dora('in'),
    roles: { magnitude: fill(IN, 1).with(0, Number.NEGATIVE_INFINITY) },
    code: 'not_finite',
    path: `${PARAMETER}::magnitude`,
  },
  {
    name: 'a NaN in a scalar',
    target: map,
    roles: { alpha: fill(1, Number.NaN) },
    code: 'not_finite',
    path: `${PARAMETER}::alpha`,
  },
  {
    name: 'an infinity in a delta',
    target: delta,
    roles: { delta: fill(OUT * IN, 1).with(9, Number.POSITIVE_INFINITY) },
    code: 'not_finite',
    path: `${PARAMETER}::delta`,
  },
  {
    name: 'a zero column of dora',
    target: dora('in'),
    roles: { up: columns([-8]), down: rows([1]) },
    code: 'not_finite',
  },
  {
    name: 'a zero row of dora',
    target: dora('out'),
    roles: { up: columns([-8]), down: rows([1]) },
    code: 'not_finite',
  },
  {
    name: 'a zero column of pdora, even under a magnitude of zero',
    target: factor('in'),
    roles: {
      down: fill(RANK * IN, 1)
        .with(4, 0)
        .with(IN + 4, 0),
      magnitude: fill(IN, 1).with(4, 0),
    },
    code: 'not_finite',
  },
  {
    name: 'a zero row of pdora',
    target: factor('out'),
    roles: {
      up: fill(OUT * RANK, 1)
        .with(6, 0)
        .with(7, 0),
    },
    code: 'not_finite',
  },
  {
    name: 'a pdora whose update cancels its start',
    target: additive('in'),
    roles: { up: columns([-8, -6]), down: START.down0 },
    code: 'not_finite',
  },
  {
    name: 'bora whose rows are scaled to nothing',
    target: bora,
    roles: { magnitude_out: fill(OUT, 0) },
    code: 'not_finite',
  },
  {
    name: 'a bora row of zero',
    target: bora,
    roles: { up: columns([-8]), down: rows([1]) },
    code: 'not_finite',
  },
  {
    name: 'a factor that its scale takes out of float32',
    target: { ...lora, scale: 1e38 },
    roles: { up: columns([100]) },
    code: 'not_finite',
  },
  {
    name: 'finite factors whose product is out of float32',
    target: lora,
    roles: { up: columns([1e30]), down: rows([1e30]) },
    code: 'not_finite',
  },
];

export const wrongBase: Case[] = [
  { name: 'pdora on factors of another weight', target: factor('in'), roles: turned(0.5), code: 'wrong_base' },
  { name: 'pdora a little off', target: factor('out'), roles: turned(1e-3), code: 'wrong_base' },
  { name: 'additive pdora on others', target: additive('in'), roles: turned(0.5), code: 'wrong_base' },
  { name: 'pissa on factors of another weight', target: pissa, roles: turned(0.5), code: 'wrong_base' },
  { name: 'pissa with a scale its factors leave out', target: { ...pissa, scale: 2 }, roles: {}, code: 'wrong_base' },
  { name: 'pdora with no principal part', target: factor('in'), roles: { up0: columns([]) }, code: 'wrong_base' },
  { name: 'pissa with no principal part', target: pissa, roles: { down0: rows([]) }, code: 'wrong_base' },
];

export const noEffect: Case[] = [
  { name: 'lora with up = 0', target: lora, roles: { up: columns([]) } },
  { name: 'lora with scale 0', target: { ...lora, scale: 0 }, roles: {} },
  { name: 'lora that moves the weight by 1e-7', target: lora, roles: { up: columns([1e-6]), down: rows([1]) } },
  { name: 'pissa at its start', target: pissa, roles: { up: START.up0, down: START.down0 } },
  { name: 'loram at its start', target: loram, roles: { up: START.up0, down: START.down0 } },
  { name: 'a delta of zero', target: delta, roles: { delta: fill(OUT * IN, 0) } },
  { name: 'a delta of 1e-7', target: delta, roles: { delta: fill(OUT * IN, 0).with(40, 1e-6) } },
].map((row) => ({ ...row, code: 'no_effect', path: 'manifest.targets' }));

export const good: Omit<Case, 'code'>[] = [
  { name: 'lora', target: lora, roles: {} },
  { name: 'lora that moves the weight by 1e-5', target: lora, roles: { up: columns([1e-4]), down: rows([1]) } },
  { name: 'pissa', target: pissa, roles: {} },
  { name: 'pissa by a randomised SVD', target: pissa, roles: turned(1e-3) },
  { name: 'pissa with its scale in the factors', target: { ...pissa, scale: 2 }, roles: { up0: columns([4, 3]) } },
  { name: 'loram on any start', target: loram, roles: turned(0.5) },
  { name: 'dora in', target: dora('in'), roles: {} },
  { name: 'dora out', target: dora('out'), roles: {} },
  { name: 'pdora factor in', target: factor('in'), roles: {} },
  { name: 'pdora factor out', target: factor('out'), roles: {} },
  { name: 'pdora additive in', target: additive('in'), roles: {} },
  { name: 'pdora additive out', target: additive('out'), roles: {} },
  { name: 'pdora with up0 turned by rounding', target: factor('in'), roles: turned(1e-6) },
  { name: 'bora', target: bora, roles: {} },
  { name: 'map', target: map, roles: {} },
  { name: 'map where B A = 0', target: map, roles: { up: columns([]) } },
  { name: 'a large product inside float32', target: lora, roles: { up: columns([1e19]), down: rows([1e19]) } },
  { name: 'delta', target: delta, roles: {} },
];
