import { describe, expect, it } from 'vitest';
import { parseAdapterManifest } from '../../schemas/manifest.ts';
import { faults, need } from '../support/faults.ts';
import { type Json, tinyAdapterManifest } from '../support/safetensors-file.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

const adapter = (overrides: Json = {}) => parseAdapterManifest(JSON.stringify(tinyAdapterManifest(DIGEST, overrides)));
const withTarget = (target: Json) => adapter({ targets: [{ parameter: QKV, ...target }] });

describe('an entry of targets', () => {
  it.each<Json>([
    { method: 'lora', rank: 4 },
    { method: 'lora', rank: 4, scale: -0.5 },
    { method: 'pissa', rank: 4, scale: 2 },
    { method: 'loram', rank: 4, scale: 2 },
    { method: 'bora', rank: 4, scale: 2 },
    { method: 'dora', rank: 4, scale: 2, norm_axis: 'in' },
    { method: 'dora', rank: 4, norm_axis: 'out' },
    { method: 'pdora', rank: 4, form: 'factor', norm_axis: 'in' },
    { method: 'pdora', rank: 4, form: 'additive', norm_axis: 'out', scale: 2 },
    { method: 'map', rank: 4 },
    { method: 'delta' },
  ])('is accepted: %j', (target) => {
    expect(faults(withTarget(target))).toEqual([]);
  });

  it('has a scale of 1 where the method uses one and it is left out', () => {
    expect(need(withTarget({ method: 'lora', rank: 4 })).targets).toEqual([
      { parameter: QKV, method: 'lora', rank: 4, scale: 1 },
    ]);
    expect(need(withTarget({ method: 'map', rank: 4 })).targets).toEqual([{ parameter: QKV, method: 'map', rank: 4 }]);
  });

  it.each<[string, Json]>([
    ['method', { rank: 4 }],
    ['method', { method: 'vera', rank: 4 }],
    ['rank', { method: 'lora' }],
    ['rank', { method: 'lora', rank: 1.5 }],
    ['rank', { method: 'lora', rank: '4' }],
    ['rank', { method: 'delta', rank: 4 }],
    ['scale', { method: 'lora', rank: 4, scale: '1' }],
    ['scale', { method: 'map', rank: 4, scale: 1 }],
    ['scale', { method: 'delta', scale: 1 }],
    ['scale', { method: 'pdora', rank: 4, form: 'factor', norm_axis: 'in', scale: 1 }],
    ['form', { method: 'pdora', rank: 4, norm_axis: 'in' }],
    ['form', { method: 'pdora', rank: 4, norm_axis: 'in', form: 'other' }],
    ['form', { method: 'dora', rank: 4, norm_axis: 'in', form: 'factor' }],
    ['form', { method: 'lora', rank: 4, form: 'factor' }],
    ['norm_axis', { method: 'lora', rank: 4, norm_axis: 'in' }],
    ['norm_axis', { method: 'bora', rank: 4, norm_axis: 'in' }],
    ['norm_axis', { method: 'delta', norm_axis: 'in' }],
    ['norm_axis', { method: 'dora', rank: 4, norm_axis: 'rows' }],
    ['alpha', { method: 'lora', rank: 4, alpha: 16 }],
    ['parameter', { parameter: 3, method: 'lora', rank: 4 }],
  ])('is refused at %s: %j', (key, target) => {
    expect(faults(withTarget(target))).toEqual([`manifest manifest.targets[0].${key}`]);
  });

  it.each<Json>([
    { method: 'dora', rank: 4 },
    { method: 'pdora', rank: 4, form: 'factor' },
    { method: 'pdora', rank: 4, form: 'additive', scale: 2 },
  ])('needs a norm_axis, under a code of its own: %j', (target) => {
    expect(faults(withTarget(target))).toEqual(['norm_axis manifest.targets[0].norm_axis']);
  });

  it('is reported for a missing norm_axis beside its other faults', () => {
    expect(faults(withTarget({ method: 'pdora', rank: 4 }))).toEqual([
      'manifest manifest.targets[0].form',
      'norm_axis manifest.targets[0].norm_axis',
    ]);
  });

  it('is not there only where something is replaced', () => {
    expect(faults(adapter({ targets: [], replaced: [] }))).toEqual(['manifest manifest.targets']);
    expect(faults(adapter({ targets: [] }))).toEqual([]);
    expect(faults(adapter({ replaced: [] }))).toEqual([]);
  });
});
