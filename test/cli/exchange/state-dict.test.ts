import { describe, expect, it } from 'vitest';
import { stateDictChanges } from '../../../cli/exchange/state-dict-changes.ts';
import type { Tensor } from '../../../gpu-runner/adapter/compiled.ts';
import { hashedTensors, SMALL } from '../../support/network.ts';
import { randomNumbers } from '../../support/safetensors-file.ts';

const { tensors: BASE } = hashedTensors(SMALL);
const LINEAR = 'swinViT.layers3.0.blocks.0.mlp.linear1.weight';
const [OUT = 0, IN = 0] = BASE.get(LINEAR)?.shape ?? [];

/** The base's own state dict with some tensors changed or added. */
function dict(changes: Record<string, Tensor> = {}, foreign: Record<string, string> = {}) {
  const tensors = new Map([...BASE, ...Object.entries(changes)]);
  return { tensors, foreign: new Map(Object.entries(foreign)), metadata: {} };
}

function moved(name: string, size: number, seed = 3): Tensor {
  const own = BASE.get(name);
  if (own === undefined) throw new Error(name);
  const by = randomNumbers(seed, own.data.length);
  return { shape: own.shape, data: own.data.map((value, at) => value + size * (by[at] ?? 0)) };
}

/** The layer after training with LoRA of this rank, merged in float64 and rounded to float32 as a checkpoint is. */
function merged(rank: number, size: number): Tensor {
  const [up, down] = [randomNumbers(1, OUT * rank), randomNumbers(2, rank * IN)];
  const data = Float32Array.from(BASE.get(LINEAR)?.data ?? [], (value, at) => {
    const [i, j] = [Math.floor(at / IN), at % IN];
    let change = 0;
    for (let k = 0; k < rank; k++) change += (up[i * rank + k] ?? 0) * (down[k * IN + j] ?? 0);
    return value + size * change;
  });
  return { shape: [OUT, IN], data };
}

describe('a fine-tuned state dict', () => {
  it('that is the base changes nothing, its index buffers among it', () => {
    const buffer = 'swinViT.layers1.0.blocks.0.attn.relative_position_index';
    expect(stateDictChanges(dict({}, { [buffer]: 'I64' }), BASE)).toEqual([]);
  });

  // From large changes to some whose own rounding noise is above 1e-5 of them.
  it.each([1, 1e-2, 1e-4])(
    'gives back the rank that a merged LoRA was trained with, its changes of size %d',
    (size) => {
      const tensor = merged(4, size);
      const [change, ...more] = stateDictChanges(dict({ [LINEAR]: tensor }), BASE);
      expect(more).toEqual([]);
      expect(change?.stored).toMatchObject({ target: { parameter: LINEAR, method: 'lora', rank: 4, scale: 1 } });
      if (change?.stored.kind !== 'low-rank') return;
      const { up, down } = change.stored.roles;
      let [miss, whole] = [0, 0];
      for (let at = 0; at < tensor.data.length; at++) {
        const [i, j] = [Math.floor(at / IN), at % IN];
        let fused = BASE.get(LINEAR)?.data[at] ?? 0;
        for (let k = 0; k < 4; k++) fused += (up?.data[i * 4 + k] ?? 0) * (down?.data[k * IN + j] ?? 0);
        miss += (fused - (tensor.data[at] ?? 0)) ** 2;
        whole += (tensor.data[at] ?? 0) ** 2;
      }
      expect(Math.sqrt(miss / whole)).toBeLessThan(2e-5);
    },
  );

  it('leaves out a linear weight that differs by less than one rounding', () => {
    const own = BASE.get(LINEAR)?.data ?? new Float32Array(0);
    const at = own.findIndex((value) => Math.abs(value) > 1e-3);
    const data = own.with(at, (own[at] ?? 0) * (1 + 2 ** -23));
    expect(stateDictChanges(dict({ [LINEAR]: { shape: [OUT, IN], data } }), BASE)).toEqual([]);
  });

  it('keeps a linear weight of full rank as a dense difference, and every other parameter whole', () => {
    const norm = 'swinViT.layers1.0.blocks.0.norm1.weight';
    const conv = 'decoder2.conv_block.conv1.conv.weight';
    const changes = stateDictChanges(
      dict({ [LINEAR]: moved(LINEAR, 0.1), [norm]: moved(norm, 0.1), [conv]: moved(conv, 0.1) }),
      BASE,
    );
    expect(Object.fromEntries(changes.map(({ parameter, stored }) => [parameter, stored.kind]))).toEqual({
      [LINEAR]: 'delta',
      [norm]: 'full',
      [conv]: 'full',
    });
  });

  it('keeps the whole head where one part of it changed', () => {
    const bias = 'out.conv.conv.bias';
    const changes = stateDictChanges(dict({ [bias]: moved(bias, 1) }), BASE);
    expect(Object.fromEntries(changes.map(({ parameter, stored }) => [parameter, stored.kind]))).toEqual({
      'out.conv.conv.weight': 'full',
      [bias]: 'full',
    });
  });

  it('may have a head of another number of channels', () => {
    const changed = {
      'out.conv.conv.weight': { shape: [5, 12, 1, 1, 1], data: randomNumbers(1, 60) },
      'out.conv.conv.bias': { shape: [5], data: randomNumbers(2, 5) },
    };
    const found = stateDictChanges(dict(changed), BASE).map(({ parameter, expected }) => [parameter, expected.length]);
    expect(Object.fromEntries(found)).toEqual({ 'out.conv.conv.weight': 60, 'out.conv.conv.bias': 5 });
  });

  it.each<[string, ReturnType<typeof dict>, RegExp]>([
    ['a parameter that is missing', lacking(LINEAR), /has no swinViT\.layers3/],
    ['a parameter of another network', dict({ 'module.conv.weight': moved(LINEAR, 1) }), /module\.conv\.weight/],
    [
      'another shape',
      dict({ [LINEAR]: { shape: [IN, OUT], data: randomNumbers(1, OUT * IN) } }),
      /expected the base's shape/,
    ],
    ['another dtype', dict({}, { extra: 'F64' }), /extra: expected F32, F16 or BF16, found F64/],
  ])('is refused by name: %s', (_, file, message) => {
    expect(() => stateDictChanges(file, BASE)).toThrow(message);
  });
});

function lacking(name: string) {
  const file = dict();
  file.tensors.delete(name);
  return file;
}
