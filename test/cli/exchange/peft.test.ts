import { describe, expect, it } from 'vitest';
import { peftChanges } from '../../../cli/exchange/peft-changes.ts';
import { moduleScale, readPeftConfig } from '../../../cli/exchange/peft-config.ts';
import { readPeftTensors, refuseLostModules } from '../../../cli/exchange/peft-layers.ts';
import type { Tensor } from '../../../gpu-runner/adapter/compiled.ts';
import { hashedTensors, SMALL } from '../../support/network.ts';
import { type Json, randomNumbers } from '../../support/safetensors-file.ts';

const { tensors: BASE } = hashedTensors(SMALL);
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv';
const CONV = 'decoder1.conv_block.conv1.conv';
const HEAD = 'out.conv.conv';
/** QKV is `[36, 12]`. */
const [OUT, IN] = [36, 12];

/** What PEFT 0.21.2 writes. */
const WRITTEN = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  auto_mapping: { base_model_class: 'SwinUNETR', parent_library: 'monai.networks.nets.swin_unetr' },
  base_model_name_or_path: null,
  bias: 'none',
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 8,
  lora_bias: false,
  lora_dropout: 0,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: 'megatron.core',
  modules_to_save: null,
  monteclora_config: null,
  peft_type: 'LORA',
  peft_version: '0.21.2',
  qalora_group_size: 16,
  r: 4,
  rank_pattern: {},
  revision: null,
  target_modules: ['qkv'],
  target_parameters: null,
  task_type: null,
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
  velora_config: null,
};

function config(changes: Json = {}): Json {
  return { ...WRITTEN, ...changes };
}

function tensor(shape: readonly number[], seed: number): Tensor {
  return {
    shape,
    data: randomNumbers(
      seed,
      shape.reduce((product, side) => product * side, 1),
    ),
  };
}

function linear(rank: number, module = QKV, seed = 1): Record<string, Tensor> {
  return {
    [`base_model.model.${module}.lora_A.weight`]: tensor([rank, IN], seed),
    [`base_model.model.${module}.lora_B.weight`]: tensor([OUT, rank], seed + 1),
  };
}

function changesOf(json: Json, tensors: Record<string, Tensor>, initial?: Record<string, Tensor>) {
  const read = readPeftConfig(json);
  const file = (named: Record<string, Tensor>) =>
    readPeftTensors({ tensors: new Map(Object.entries(named)), foreign: new Map(), metadata: {} }, read);
  const trained = file(tensors);
  refuseLostModules(trained, read);
  return peftChanges({ config: read, initial: initial === undefined ? null : file(initial), ...trained }, BASE);
}

function at(tensors: Record<string, Tensor>, name: string): Float32Array {
  return tensors[`base_model.model.${name}`]?.data ?? new Float32Array(0);
}

/** `(B A)[i, j]` of a layer, summed in float64. */
function productAt(tensors: Record<string, Tensor>, module: string, rank: number, columns: number) {
  const [a, b] = [at(tensors, `${module}.lora_A.weight`), at(tensors, `${module}.lora_B.weight`)];
  return (i: number, j: number) => {
    let total = 0;
    for (let k = 0; k < rank; k++) total += (b[i * rank + k] ?? 0) * (a[k * columns + j] ?? 0);
    return total;
  };
}

function expectWeight(
  found: ArrayLike<number> | undefined,
  rows: number,
  columns: number,
  value: (i: number, j: number) => number,
) {
  expect(found?.length).toBe(rows * columns);
  let worst = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) worst = Math.max(worst, Math.abs((found?.[i * columns + j] ?? 0) - value(i, j)));
  }
  expect(worst).toBeLessThan(1e-12);
}

const W0 = BASE.get(`${QKV}.weight`)?.data ?? new Float32Array(0);
const w0 = (i: number, j: number) => W0[i * IN + j] ?? 0;

function identity(side: number): Float32Array {
  return Float32Array.from({ length: side ** 2 }, (_, i) => (i % (side + 1) === 0 ? 1 : 0));
}

describe('an adapter of PEFT', () => {
  it.each([
    ['alpha / r', {}, 2],
    ['alpha / sqrt(r) with rsLoRA', { use_rslora: true }, 4],
  ])('becomes lora, its scale %s', (_, changes, scale) => {
    const tensors = linear(4);
    const [change, ...more] = changesOf(config(changes), tensors);
    expect(more).toEqual([]);
    expect(change?.stored).toMatchObject({ target: { parameter: `${QKV}.weight`, method: 'lora', rank: 4, scale } });
    const ba = productAt(tensors, QKV, 4, IN);
    expectWeight(change?.expected, OUT, IN, (i, j) => w0(i, j) + scale * ba(i, j));
  });

  it('becomes dora with one magnitude an output', () => {
    const magnitude = tensor([OUT], 5);
    const tensors = { ...linear(4), [`base_model.model.${QKV}.lora_magnitude_vector`]: magnitude };
    const [change] = changesOf(config({ use_dora: true }), tensors);
    expect(change?.stored).toMatchObject({ target: { method: 'dora', norm_axis: 'out', rank: 4, scale: 2 } });
    const ba = productAt(tensors, QKV, 4, IN);
    const v = (i: number, j: number) => w0(i, j) + 2 * ba(i, j);
    expectWeight(change?.expected, OUT, IN, (i, j) => {
      const norm = Math.sqrt(Array.from({ length: IN }, (_, k) => v(i, k) ** 2).reduce((x, y) => x + y));
      return ((magnitude.data[i] ?? 0) / norm) * v(i, j);
    });
  });

  it.each([
    ['pissa', 'pissa', 4],
    ['olora', 'lora', 8],
  ])('that began as %s and comes with its start becomes %s', (start, method, rank) => {
    const [trained, initial] = [linear(4), linear(4, QKV, 7)];
    const [change] = changesOf(config({ init_lora_weights: start }), trained, initial);
    expect(change?.stored).toMatchObject({ target: { method, rank, scale: 2 } });
    const [ba, ba0] = [productAt(trained, QKV, 4, IN), productAt(initial, QKV, 4, IN)];
    expectWeight(change?.expected, OUT, IN, (i, j) => w0(i, j) - 2 * ba0(i, j) + 2 * ba(i, j));
  });

  it('on a convolution becomes a dense difference', () => {
    const weight = BASE.get(`${CONV}.weight`);
    const [out = 0, into = 0] = weight?.shape ?? [];
    const columns = into * 27;
    const tensors = {
      [`base_model.model.${CONV}.lora_A.weight`]: tensor([4, into, 3, 3, 3], 1),
      [`base_model.model.${CONV}.lora_B.weight`]: tensor([out, 4, 1, 1, 1], 2),
    };
    const [change] = changesOf(config(), tensors);
    expect(change?.stored).toMatchObject({ kind: 'delta', delta: { shape: [out, into, 3, 3, 3] } });
    const ba = productAt(tensors, CONV, 4, columns);
    expectWeight(change?.expected, out, columns, (i, j) => (weight?.data[i * columns + j] ?? 0) + 2 * ba(i, j));
  });

  it('of a higher rank than the layer has becomes a dense difference', () => {
    const [change] = changesOf(config({ r: 16 }), linear(16));
    expect(change?.stored.kind).toBe('delta');
  });

  it('that is still the principal part of the base is PiSSA under another name', () => {
    // All of the layer's twelve ranks: `B A = W0`.
    const whole = {
      [`base_model.model.${QKV}.lora_A.weight`]: { shape: [IN, IN], data: identity(IN) },
      [`base_model.model.${QKV}.lora_B.weight`]: { shape: [OUT, IN], data: W0.map((value) => 1.05 * value) },
    };
    const settings = config({ r: IN, lora_alpha: IN });
    expect(() => changesOf(settings, whole)).toThrow(/PiSSA/);
    expect(changesOf(settings, whole, linear(IN))).toHaveLength(1);
  });

  it('takes modules_to_save whole, and leaves out what is still the base', () => {
    const bias = BASE.get(`${HEAD}.bias`) ?? tensor([2], 1);
    const weight = tensor([3, 12, 1, 1, 1], 3);
    const tensors = {
      ...linear(4),
      [`base_model.model.${HEAD}.weight`]: weight,
      [`base_model.model.${HEAD}.bias`]: bias,
    };
    const changes = changesOf(config({ modules_to_save: [HEAD] }), tensors);
    expect(changes.map(({ parameter }) => parameter)).toEqual([`${QKV}.weight`, `${HEAD}.weight`]);
    expect(changes[1]?.stored).toEqual({ kind: 'full', full: weight });
  });

  const pissa = { init_lora_weights: 'pissa_niter_4' };
  it.each<[string, Json, Record<string, Tensor>, RegExp]>([
    ['PiSSA without its start', pissa, linear(4), /pissa_niter_4.*path_initial_model_for_weight_conversion/],
    ['an unknown start', { init_lora_weights: 'later' }, linear(4), /init_lora_weights "later"/],
    ['another tuner', { peft_type: 'LOHA' }, linear(4), /peft_type LOHA/],
    ['trained biases', { bias: 'all' }, linear(4), /bias "all"/],
    ['biases of LoRA', { lora_bias: true }, linear(4), /lora_bias true/],
    ['target_parameters', { target_parameters: ['x'] }, linear(4), /target_parameters/],
    ['a setting of a later PEFT', { use_novelty: { depth: 1 } }, linear(4), /use_novelty/],
    [
      'a tensor of no known kind',
      {},
      { ...linear(4), 'base_model.model.x.lora_C.weight': tensor([1], 1) },
      /x\.lora_C/,
    ],
    ['factors of another rank', { r: 5 }, linear(4), /rank 5/],
    ['one factor alone', {}, { [`base_model.model.${QKV}.lora_A.weight`]: tensor([4, IN], 1) }, /only one of/],
    ['a layer of another network', {}, linear(4, 'encoder.block.qkv'), /encoder\.block\.qkv is no layer/],
    [
      'factors of another layer',
      {},
      linear(4, 'swinViT.layers1.0.blocks.0.attn.proj'),
      /expected factors of a weight \[12, 12\]/,
    ],
    ['DoRA without magnitudes', { use_dora: true }, linear(4), /no lora_magnitude_vector/],
    ['modules_to_save that are not there', { modules_to_save: [HEAD] }, linear(4), /--initial/],
    ['an expression of Python alone', { rank_pattern: { '(?P<x>qkv)\\Z': 4 } }, linear(4), /rank_pattern/],
  ])('is refused by name: %s', (_, changes, tensors, message) => {
    expect(() => changesOf(config(changes), tensors)).toThrow(message);
  });
});

describe('rank and alpha patterns', () => {
  const patterns = {
    rank_pattern: { 'layers2.*qkv': 3, qkv: 5, 'blocks\\.1\\.mlp\\.linear1': 2 },
    alpha_pattern: { proj: 6, 'swinViT\\.layers1\\.0\\.blocks\\.\\d+\\.attn\\.(qkv|proj)': 10 },
  };
  it.each([
    ['swinViT.layers2.0.blocks.0.attn.qkv', 3, 8 / 3],
    ['swinViT.layers1.0.blocks.0.attn.qkv', 5, 2],
    ['swinViT.layers1.0.blocks.0.attn.proj', 4, 1.5],
    ['swinViT.layers3.0.blocks.1.mlp.linear1', 2, 4],
    ['swinViT.layers3.0.blocks.0.mlp.linear1', 4, 2],
    // A key is a whole part of the name, from a dot on.
    ['swinViT.layers1.0.blocks.0.attn.myqkv', 4, 2],
  ])('are those of PEFT for %s', (module, rank, scale) => {
    expect(moduleScale(readPeftConfig(config(patterns)), module)).toEqual({ rank, scale });
  });
});
