import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchManifest } from '../../e2e/support/damage.ts';
import { processTree } from '../../e2e/support/memory.ts';
import { callHeaders, problemOf, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { fileOf, type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

/** So small a memory that no two of these adapters fit. */
const CACHE_MIB = 1;
const AT_ONCE = 12;
const FEW = 4;
const MANY = 24;
const SWITCHES = 6;
/** Where it went by how many there were, it would be six times. */
const SLOWER_MAX = 4;
const GROWTH_MAX_MIB = 48;

const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';
/** More than half of the memory, and next to no work for the network. */
const BALLAST = ['attn.qkv', 'attn.proj', 'mlp.linear1', 'mlp.linear2'].map((layer) => {
  return { parameter: `swinViT.layers4.0.blocks.0.${layer}.weight`, method: 'lora', rank: 96, scale: 0.01 };
});
/** What differs: ranks down and up, so that a rank's rows left behind would show in a lesser one. */
const OWN = [
  { method: 'lora', rank: 1, scale: 40 },
  { method: 'lora', rank: 12, scale: 20 },
  { method: 'dora', rank: 5, norm_axis: 'in', scale: 30 },
  { method: 'map', rank: 2 },
  { method: 'delta' },
  { method: 'lora', rank: 3, scale: -40 },
];

describe('a runner with room for one adapter at a time', () => {
  let test: TestRunner;
  let model: SmallModel;
  let adapters: ModelFile[];
  let volume: Uint8Array<ArrayBuffer>;
  /** What each adapter makes of the volume, asked by itself. */
  let alone: Buffer[];

  const post = (adapter: ModelFile | null) =>
    fetch(new URL('/segment', test.url), { method: 'POST', headers: callHeaders(model.base, adapter), body: volume });

  async function labels(adapter: ModelFile | null): Promise<{ labels: Buffer; tier: string | null }> {
    const reply = await post(adapter);
    if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
    expect(reply.headers.get('x-adapter-digest')).toBe(adapter?.digest ?? null);
    return { labels: Buffer.from(await reply.arrayBuffer()), tier: reply.headers.get('x-adapter-cache') };
  }

  /** As a client that comes again where there is no room for its adapter just now. */
  async function patiently(adapter: ModelFile): Promise<{ labels: Buffer; refused: number }> {
    for (let refused = 0; ; refused++) {
      const reply = await post(adapter);
      if (reply.status === 200) return { labels: Buffer.from(await reply.arrayBuffer()), refused };
      expect(await problemOf(reply)).toMatchObject({ status: 503, code: 'runner_busy' });
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      await wait(50);
    }
  }

  async function bytesHeld(): Promise<number> {
    const text = await (await fetch(new URL('/metrics', test.url))).text();
    return Number(/^pdora_runner_cache_bytes\{tier="compiled"\} (\d+)/m.exec(text)?.[1]);
  }

  const childMiB = () => processTree(test.runner.childPid() ?? 0)[0]?.residentMiB ?? Number.NaN;
  const at = (n: number) => adapters[n % adapters.length] ?? null;
  const own = (n: number) => alone[n % alone.length] ?? Buffer.alloc(0);

  /** The least disturbed of some switches between two adapters, in milliseconds. */
  async function switching(): Promise<number> {
    const took: number[] = [];
    for (let n = 0; n < SWITCHES; n++) {
      const start = performance.now();
      await labels(at(n % 2));
      took.push(performance.now() - start);
    }
    return Math.min(...took);
  }

  /** Uses adapters that were never seen before. */
  async function rotate(from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) {
      const bytes = patchManifest(adapters[n % adapters.length]?.bytes ?? volume, (manifest) => {
        manifest['description'] = `number ${n}`;
      });
      const file = fileOf(bytes);
      test.edge.put(file);
      expect((await labels(file)).labels.length).toBeGreaterThan(0);
      expect(await bytesHeld()).toBeLessThanOrEqual(CACHE_MIB * 2 ** 20);
    }
  }

  beforeAll(async () => {
    const environment = { PDORA_ADAPTER_CACHE_MB: String(CACHE_MIB), PDORA_QUEUE_LIMIT: String(AT_ONCE) };
    [test, model] = await Promise.all([startTestRunner(environment), smallModel()]);
    test.edge.put(model.base);
    volume = new Uint8Array(await noiseVolume([20, 24, 40]));
    adapters = [];
    for (const target of OWN) {
      adapters.push(await model.adapter({ targets: [{ parameter: QKV, ...target }, ...BALLAST] }));
    }
    for (const adapter of adapters) test.edge.put(adapter);
    alone = [];
    for (const adapter of adapters) alone.push((await labels(adapter)).labels);
  });
  afterAll(async () => await test.close());

  it('answers each adapter otherwise than every other and than the base', async () => {
    const all = [...alone, (await labels(null)).labels];
    expect(new Set(all.map((file) => file.toString('base64'))).size).toBe(OWN.length + 1);
  });

  it('answers the same in any order, each time from the disk and never from what lay there before', async () => {
    const forth = OWN.map((_, n) => n);
    for (const n of [...forth, ...forth.toReversed(), 0, 1, 0, 4, 1, 4]) {
      const found = await labels(at(n));
      expect({ n, same: found.labels.equals(own(n)) }).toEqual({ n, same: true });
      expect(['warm', 'hot']).toContain(found.tier);
    }
    expect((await labels(at(0))).tier).toBe('warm');
    expect((await labels(at(0))).tier).toBe('hot');
    expect(await bytesHeld()).toBeLessThanOrEqual(CACHE_MIB * 2 ** 20);
  });

  it('answers all who ask at once, each with its own, whoever has to come again', async () => {
    const replies = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => patiently(at(n) ?? model.base)));
    for (const [n, reply] of replies.entries()) expect(reply.labels.equals(own(n))).toBe(true);
    // Or there was room for all, and nothing was shown.
    expect(replies.some(({ refused }) => refused > 0)).toBe(true);
  });

  it('serves others while one adapter is slow to come', async () => {
    const slow = await model.adapter({ description: 'slow' });
    const { promise: ready, resolve: come } = Promise.withResolvers<void>();
    test.edge.put(slow, ready);
    const coming = labels(slow);
    for (const n of [0, 1, 0]) expect((await labels(at(n))).labels.equals(own(n))).toBe(true);
    come();
    expect((await coming).tier).toBe('cold');
  });

  it('switches no slower and holds no more after many adapters than after few', async () => {
    await rotate(0, FEW);
    const few = { took: await switching(), childMiB: childMiB() };
    await rotate(FEW, MANY);
    const many = { took: await switching(), childMiB: childMiB() };
    expect(many.took, JSON.stringify({ few, many })).toBeLessThan(SLOWER_MAX * few.took);
    expect(many.childMiB - few.childMiB, JSON.stringify({ few, many })).toBeLessThan(GROWTH_MAX_MIB);
  }, 120_000);
});
