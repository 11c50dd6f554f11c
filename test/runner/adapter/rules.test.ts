import { beforeAll, describe, expect, it } from 'vitest';
import type { Base } from '../../../gpu-runner/adapter/base.ts';
import { readAdapter } from '../../../gpu-runner/adapter/read-adapter.ts';
import type { Json } from '../../support/safetensors-file.ts';
import {
  delta,
  dora,
  factor,
  fill,
  good,
  lora,
  map,
  noEffect,
  notFinite,
  type Roles,
  TARGET,
  turned,
  wrongBase,
} from './rules-cases.ts';
import {
  adapterFile,
  columns,
  IN,
  layerWeight,
  OUT,
  PARAMETER,
  RANK,
  refusal,
  rows,
  tinyBase,
  tinyManifest,
  tinyTensors,
  withData,
} from './tiny-model.ts';

const BIAS = 'swinViT.patch_embed.proj.bias';
const HEAD = ['out.conv.conv.weight', 'out.conv.conv.bias'];

function named(roles: Roles): Record<string, Float32Array> {
  return Object.fromEntries(Object.entries(roles).map(([role, data]) => [`${PARAMETER}::${role}`, data]));
}

async function problems(reading: Promise<unknown>): Promise<{ code: string; path: string }[]> {
  const error = await refusal(reading);
  expect(error.code).toBe('invalid_adapter');
  return (error.problems ?? []).map(({ code, path }) => ({ code, path }));
}

describe("the runner's rules", () => {
  let base: Base;

  beforeAll(async () => {
    base = await tinyBase();
  });

  function read(target: Json, roles: Roles, on: Base = base, overrides: Json = {}, others: Roles = {}) {
    const manifest = tinyManifest(on, [{ parameter: PARAMETER, ...target }], overrides);
    const tensors = withData(tinyTensors(manifest), { ...named(roles), ...others });
    const { bytes, digest } = adapterFile(manifest, tensors);
    return readAdapter(bytes, digest, on);
  }

  it.each(good)('take $name', async ({ target, roles }) => {
    const adapter = await read(target, roles);
    expect(adapter.slots.size + adapter.replaced.size).toBe(1);
  });

  it.each([...notFinite, ...wrongBase, ...noEffect])('$code: $name', async ({ target, roles, code, path = TARGET }) => {
    expect(await problems(read(target, roles))).toEqual([{ code, path }]);
  });

  it.each(['in', 'out'])(
    'no_effect: pdora at its start, axis %s, where the weight is all principal part',
    async (axis) => {
      const whole = await tinyBase({ [PARAMETER]: fill(OUT * IN, 0.5) });
      const start = { up0: columnsOf(0.5), down0: rowsOf(1), up: columnsOf(0.5), down: rowsOf(1) };
      const norms = axis === 'in' ? fill(IN, 0.5 * Math.sqrt(OUT)) : fill(OUT, 0.5 * Math.sqrt(IN));
      const reading = read(factor(axis), { ...start, magnitude: norms }, whole);
      expect(await problems(reading)).toEqual([{ code: 'no_effect', path: 'manifest.targets' }]);
    },
  );

  it('not_finite: a delta that takes its parameter out of float32', async () => {
    const large = await tinyBase({ [BIAS]: fill(IN, 3e38) });
    const reading = read({ ...delta, parameter: BIAS }, {}, large, {}, { [`${BIAS}::delta`]: fill(IN, 3e38) });
    expect(await problems(reading)).toEqual([{ code: 'not_finite', path: `${BIAS}::delta` }]);
  });

  it('not_finite: map over a weight of zero', async () => {
    const blank = await tinyBase({ [PARAMETER]: fill(OUT * IN, 0) });
    expect(await problems(read(map, {}, blank))).toEqual([{ code: 'not_finite', path: TARGET }]);
  });

  it("no_effect: a replaced head equal to the base's", async () => {
    const [weight, bias] = HEAD.map((name) => base.tensors.get(name)?.data ?? fill(0, 0));
    const equal = { [`${HEAD[0]}::full`]: weight, [`${HEAD[1]}::full`]: bias };
    const off = { up: columns([]) };
    const reading = read(lora, off, base, { replaced: HEAD }, withoutUndefined(equal));
    expect(await problems(reading)).toEqual([{ code: 'no_effect', path: 'manifest.targets' }]);
    const other = { ...equal, [`${HEAD[1]}::full`]: bias?.with(1, 0.75) };
    expect((await read(lora, off, base, { replaced: HEAD }, withoutUndefined(other))).kind).toBe('head');
  });

  it('reports every fault of a file, those of its header among them', async () => {
    const second = 'swinViT.layers1.0.blocks.1.attn.qkv.weight';
    const targets = [
      { parameter: PARAMETER, ...factor('in') },
      { parameter: second, ...lora },
    ];
    const manifest = tinyManifest(base, targets);
    const data = { ...named(turned(0.5)), [`${second}::down`]: fill(RANK * IN, Number.NaN) };
    const faulty = adapterFile(manifest, withData(tinyTensors(manifest), data));
    expect(await problems(readAdapter(faulty.bytes, faulty.digest, base))).toEqual([
      { code: 'not_finite', path: `${second}::down` },
      { code: 'wrong_base', path: TARGET },
    ]);
    const mislabelled = { ...manifest, channels: ['T1', 'T2'] };
    const worse = adapterFile(mislabelled, withData(tinyTensors(manifest), data));
    expect(await problems(readAdapter(worse.bytes, worse.digest, base))).toEqual([
      { code: 'labels', path: 'manifest.channels' },
      { code: 'not_finite', path: `${second}::down` },
    ]);
  });

  it('unknown_base: an adapter of another base', async () => {
    const other = await tinyBase({ [BIAS]: fill(IN, 0.25) });
    const manifest = tinyManifest(other, [{ parameter: PARAMETER, ...lora }]);
    const { bytes, digest } = adapterFile(manifest, tinyTensors(manifest));
    expect(await problems(readAdapter(bytes, digest, base))).toEqual([{ code: 'unknown_base', path: 'manifest.base' }]);
    expect((await readAdapter(bytes, digest, other)).digest).toBe(digest);
  });

  it('leave the base as it was', async () => {
    await read(delta, {});
    await problems(read(lora, { up: columns([1e30]), down: rows([1e30]) }));
    expect(base.tensors.get(PARAMETER)?.data).toEqual(layerWeight());
  });

  it('read the same after others as alone, those that split the weight', async () => {
    const splitting = good.filter(({ name }) => name.startsWith('pissa'));
    expect(splitting).toHaveLength(3);
    const alone = [];
    for (const { target, roles } of splitting) alone.push((await read(target, roles, await tinyBase())).slots);
    for (const { target, roles } of [...good, ...good.toReversed()]) await read(target, roles);
    for (const [n, { target, roles }] of splitting.entries()) {
      expect((await read(target, roles)).slots).toEqual(alone[n]);
    }
  });

  it('warn of negative magnitudes, which are legal', async () => {
    const { warnings } = await read(dora('in'), { magnitude: fill(IN, 1).with(2, -1) });
    expect(warnings).toEqual([`${PARAMETER}::magnitude: 1 of 12 are negative`]);
  });
});

function columnsOf(value: number): Float32Array {
  return Float32Array.from({ length: OUT * RANK }, (_, i) => (i % RANK === 0 ? value : 0));
}

function rowsOf(value: number): Float32Array {
  return Float32Array.from({ length: RANK * IN }, (_, i) => (i < IN ? value : 0));
}

function withoutUndefined(data: Record<string, Float32Array | undefined>): Roles {
  return Object.fromEntries(Object.entries(data).flatMap(([name, values]) => (values ? [[name, values]] : [])));
}
