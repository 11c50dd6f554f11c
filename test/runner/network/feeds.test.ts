import { expect, test } from 'vitest';
import { buildNetwork, IMAGE_INPUT } from '../../../gpu-runner/network/build.ts';
import { adapterFeeds, checkFeeds, type FeedableAdapter } from '../../../gpu-runner/network/feeds.ts';
import { baseParameters } from '../../../schemas/architecture.ts';
import { count, hashedTensors, SMALL, SMALL_WINDOW } from '../../support/network.ts';

const { tensors } = hashedTensors(SMALL);
const base = new Map([...tensors].map(([name, { data }]) => [name, data]));
const inputs = buildNetwork(SMALL, SMALL_WINDOW, 'head', 'w').inputs.filter(({ name }) => name !== IMAGE_INPUT);
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

function feeds(adapter: FeedableAdapter | null = null) {
  return new Map(adapterFeeds(SMALL, adapter, base));
}

function head(classes: number, biases = classes): FeedableAdapter['replaced'] {
  return new Map([
    ['out.conv.conv.weight', { shape: [classes, 12, 1, 1, 1], data: new Float32Array(classes * 12) }],
    ['out.conv.conv.bias', { shape: [biases], data: new Float32Array(biases) }],
  ]);
}

test('the base alone and a head of any class count can be fed', () => {
  expect(() => checkFeeds(inputs, feeds())).not.toThrow();
  expect(() => checkFeeds(inputs, feeds({ kind: 'head', slots: new Map(), replaced: head(7) }))).not.toThrow();
});

test('an untouched layer is fed U = 0, D = 0 and c = 1', () => {
  const made = feeds();
  const all = (name: string) => [...new Set(made.get(name)?.data)];
  expect(all(`${QKV}::up`)).toEqual([0]);
  expect(all(`${QKV}::down`)).toEqual([0]);
  expect(all(`${QKV}::c_out`)).toEqual([1]);
  expect(all(`${QKV}::c_in`)).toEqual([1]);
  expect(made.get(`${QKV}::up`)?.shape).toEqual([36, 1]);
});

test('a missing feed is refused', () => {
  const made = feeds();
  made.delete(`${QKV}::down`);
  expect(() => checkFeeds(inputs, made)).toThrow(`nothing is fed for ${QKV}::down`);
});

test('a feed the session has no input for is refused', () => {
  const made = feeds().set('decoder1.transp_conv.conv.weight', { shape: [1], data: new Float32Array(1) });
  expect(() => checkFeeds(inputs, made)).toThrow('no input for decoder1.transp_conv.conv.weight');
});

test.each([
  ['a wrong length', [35, 1], 35],
  ['another number of axes', [36], 36],
  ['fewer values than the shape says', [36, 1], 35],
  ['an empty rank', [36, 0], 0],
])('%s is refused', (_, shape, length) => {
  const made = feeds().set(`${QKV}::up`, { shape, data: new Float32Array(length) });
  expect(() => checkFeeds(inputs, made)).toThrow(`${QKV}::up: expected`);
});

test('up and down of unlike rank, and a head whose weight and bias disagree, are refused', () => {
  const made = feeds().set(`${QKV}::up`, { shape: [36, 2], data: new Float32Array(72) });
  expect(() => checkFeeds(inputs, made)).toThrow(`${QKV}::down: expected [2, 12], found [1, 12]`);
  const disagreeing = feeds({ kind: 'head', slots: new Map(), replaced: head(3, 4) });
  expect(() => checkFeeds(inputs, disagreeing)).toThrow('out.conv.conv');
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d in a feed is refused', (value) => {
  const data = new Float32Array(12);
  data[11] = value;
  expect(() => checkFeeds(inputs, feeds().set(`${QKV}::c_in`, { shape: [12, 1], data }))).toThrow('not finite');
});

test('an adapter that names what its kind of session cannot take is refused', () => {
  const name = 'decoder1.transp_conv.conv.weight';
  const shape = baseParameters(SMALL).get(name) ?? [];
  const replaced = new Map([[name, { shape, data: new Float32Array(count(shape)) }]]);
  expect(() => feeds({ kind: 'head', slots: new Map(), replaced })).toThrow(`no input for ${name}`);
  const parameter = 'encoder1.layer.conv1.conv.weight';
  const slot = {
    parameter,
    rank: 1,
    up: base.get(QKV) ?? new Float32Array(),
    down: new Float32Array(),
    cOut: new Float32Array(),
    cIn: new Float32Array(),
  };
  expect(() => feeds({ kind: 'head', slots: new Map([[parameter, slot]]), replaced: new Map() })).toThrow(parameter);
});
