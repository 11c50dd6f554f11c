import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { CompiledAdapter, Slot } from '../../../gpu-runner/adapter/compiled.ts';
import { placeAdapter, withdrawAdapter } from '../../../gpu-runner/adapter/placed.ts';
import { extractWindow, windowPlan } from '../../../gpu-runner/inference/windows.ts';
import { baseParameters } from '../../../schemas/architecture.ts';
import { compiledAdapter } from '../../support/compiled-adapter.ts';
import { blendedLogits, decide, valuesOf } from '../../support/decided.ts';
import { count, hashedValues, SMALL, SMALL_WINDOW, windowLogits } from '../../support/network.ts';
import { smallHost, smallRun } from '../../support/session-host.ts';

const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

function adapterWithSlot(digest: string, change: number): CompiledAdapter {
  const [rows = 0, cols = 0] = baseParameters(SMALL).get(QKV) ?? [];
  const slot: Slot = {
    parameter: QKV,
    rank: 2,
    up: hashedValues(1, [rows, 2]).map((value) => value * change),
    down: hashedValues(2, [2, cols]),
    cOut: new Float32Array(rows).fill(1),
    cIn: new Float32Array(cols).fill(1),
  };
  return compiledAdapter({ digest, slots: new Map([[QKV, slot]]) });
}

test('a run answers what windows, network and blending give', async () => {
  const { host, base } = await smallHost();
  const request = smallRun(1, {
    shape: [20, 40, 80],
    volume: hashedValues(3, [64_000]),
    blend: 'gaussian',
    overlap: 0.5,
  });
  const plan = windowPlan(request.shape, SMALL_WINDOW, 0.5);
  const { shape } = request;
  const options = { classes: 2, shape, plan, roi: SMALL_WINDOW, blend: 'gaussian' } as const;
  const expected = await blendedLogits(options, async (start) => {
    const image = new Float32Array(count(SMALL_WINDOW));
    extractWindow(request.volume, 1, shape, plan, SMALL_WINDOW, start, image);
    return await windowLogits(SMALL, base.tensors, null, SMALL_WINDOW, image);
  });
  const result = await host.run(request);
  expect(result.windows).toBe(plan.starts.length);
  const logits = valuesOf(result.decided);
  expect(logits).toHaveLength(expected.length);
  expect(expected.every((value, at) => Math.abs(value - (logits[at] ?? Number.NaN)) < 1e-5)).toBe(true);
  for (const decision of [{ kind: 'classes' }, { kind: 'probabilities', activation: 'softmax' }] as const) {
    const { decided } = await host.run({ ...request, decision });
    expect(decided).toEqual(decide(decision, logits, 2, shape));
  }
});

test('runs of two adapters and the base in turn never mix', async () => {
  const { host, base } = await smallHost();
  const adapters = [null, adapterWithSlot('sha256:one', 5), adapterWithSlot('sha256:two', -5)];
  const input = smallRun(1).volume;
  const alone = [];
  for (const adapter of adapters) alone.push(await windowLogits(SMALL, base.tensors, adapter, SMALL_WINDOW, input));
  for (const index of [0, 1, 2, 1, 0, 2]) {
    const compiled = adapters[index] ?? null;
    const adapter = compiled === null ? null : await placeAdapter(host.weightsFolder, compiled);
    const logits = await host.runWindow({ base: base.digest, window: SMALL_WINDOW, adapter, input });
    const misses = alone.map((other) =>
      other.reduce((most, value, at) => Math.max(most, Math.abs(value - (logits[at] ?? 0))), 0),
    );
    expect(misses.map((miss) => miss < 1e-3)).toEqual([0, 1, 2].map((other) => other === index));
  }
});

test('this process answers while the child runs, and progress comes window by window', async () => {
  const { host } = await smallHost();
  await host.ready();
  const seen: string[] = [];
  let longest = 0;
  let last = performance.now();
  const ticking = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const result = await host.run(smallRun(12), { onProgress: (done, total) => seen.push(`${done}/${total}`) });
  clearInterval(ticking);
  expect(seen).toEqual(Array.from({ length: 12 }, (_, index) => `${index + 1}/12`));
  expect(result.timings.infer).toBeGreaterThan(0);
  expect(longest).toBeLessThan(Math.max(100, result.timings.infer / 4));
});

test('runs share the device window by window, so that a short one does not wait for a long one', async () => {
  const { host } = await smallHost();
  await host.run(smallRun(1));
  const order: string[] = [];
  const run = async (name: string, windows: number) => {
    await host.run(smallRun(windows));
    order.push(name);
  };
  const all = Promise.all([run('long', 30), run('short', 1), run('middle', 8)]);
  expect(host.queueLength).toBe(3);
  await all;
  expect(order).toEqual(['short', 'middle', 'long']);
  expect(host.queueLength).toBe(0);
});

test('tenants get as many windows, however many runs each has', async () => {
  const { host } = await smallHost();
  await host.run(smallRun(1));
  const served = { flood: 0, alone: 0 };
  const abort = new AbortController();
  const { signal } = abort;
  const flood = Array.from({ length: 4 }, () =>
    host.run(smallRun(100), { tenant: 'flood', signal, onProgress: () => (served.flood += 1) }),
  );
  const alone = host.run(smallRun(20), { tenant: 'alone', onProgress: () => (served.alone += 1) });
  const outcomes = Promise.allSettled(flood);
  await alone;
  abort.abort();
  await outcomes;
  // The flood had the device to itself until the other's volume was read.
  expect(served.alone).toBe(20);
  expect(served.flood).toBeLessThan(32);
});

test('a run whose deadline cannot be met any more ends early and leaves the device to others', async () => {
  const { host } = await smallHost();
  await host.run(smallRun(2));
  const late = host.run(smallRun(400), { deadline: Date.now() + 1000, tenant: 'late' });
  await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
  expect((await host.run(smallRun(1))).windows).toBe(1);
});

test('a cancelled run stops between windows and leaves the device to the next', async () => {
  const { host } = await smallHost();
  const abort = new AbortController();
  const seen: number[] = [];
  const cancelled = host.run(smallRun(200), {
    signal: abort.signal,
    onProgress: (done) => {
      seen.push(done);
      if (done === 2) abort.abort();
    },
  });
  const next = host.run(smallRun(1));
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  expect((await next).windows).toBe(1);
  expect(seen).toEqual([1, 2]);
});

test('a run cancelled while it waits never starts, one cancelled before is never queued', async () => {
  const { host } = await smallHost();
  const abort = new AbortController();
  const first = host.run(smallRun(4));
  const seen: number[] = [];
  const waiting = host.run(smallRun(4), { signal: abort.signal, onProgress: (done) => seen.push(done) });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  await expect(host.run(smallRun(1), { signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
  expect(host.queueLength).toBe(1);
  await first;
  await host.run(smallRun(1));
  expect(seen).toEqual([]);
});

test('a volume or an adapter that cannot be fed is refused, and the next good run works', async () => {
  const { host } = await smallHost();
  const volume = smallRun(1).volume.slice();
  volume[100] = Number.NaN;
  await expect(host.run(smallRun(1, { volume }))).rejects.toMatchObject({ code: 'invalid_volume' });
  const twoChannels = smallRun(1, { channels: 2, volume: new Float32Array(2 * volume.length) });
  await expect(host.run(twoChannels)).rejects.toMatchObject({ code: 'channel_mismatch' });
  const adapter = await placeAdapter(host.weightsFolder, adapterWithSlot('sha256:nan', Number.NaN));
  await expect(host.run(smallRun(1, { adapter }))).rejects.toMatchObject({ code: 'invalid_adapter' });
  await expect(host.run(smallRun(1, { classes: 3 }))).rejects.toThrow('the head has 2 channels, not 3');
  await expect(host.run(smallRun(1, { base: 'sha256:other' }))).rejects.toThrow('not registered');
  expect((await host.run(smallRun(1))).windows).toBe(1);
});

test('a run whose adapter is another file than was written, or gone, fails alone', async () => {
  const { host } = await smallHost();
  const adapter = await placeAdapter(host.weightsFolder, adapterWithSlot('sha256:one', 5));
  const bytes = await readFile(adapter.weights.path);
  await writeFile(adapter.weights.path, bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1));
  await expect(host.run(smallRun(1, { adapter }))).rejects.toThrow('not what was written');
  await rm(adapter.weights.path);
  await expect(host.run(smallRun(1, { adapter }))).rejects.toThrow('ENOENT');
  await writeFile(adapter.weights.path, bytes);
  const [again, fresh] = [host.run(smallRun(1, { adapter })), host.run(smallRun(1, { adapter }))];
  expect((await again).decided).toEqual((await fresh).decided);
});

test('a run goes on whose adapter is withdrawn meanwhile', async () => {
  const { host } = await smallHost();
  const compiled = adapterWithSlot('sha256:one', 5);
  const adapter = await placeAdapter(host.weightsFolder, compiled);
  const expected = (await host.run(smallRun(2, { adapter }))).decided;
  const again = await placeAdapter(host.weightsFolder, compiled);
  const onProgress = () => void withdrawAdapter(again);
  expect((await host.run(smallRun(2, { adapter: again }), { onProgress })).decided).toEqual(expected);
});

test('a forgotten base is served no more, registered again it is', async () => {
  const { host, base } = await smallHost();
  const before = await host.run(smallRun(1));
  await host.forgetBase(base.digest);
  await expect(host.run(smallRun(1))).rejects.toThrow('not registered');
  await host.registerBase(base);
  expect((await host.run(smallRun(1))).decided).toEqual(before.decided);
});

test('closing ends the child and rejects what is left', async () => {
  const { host } = await smallHost();
  await host.ready();
  const { childPid } = host;
  const left = [host.run(smallRun(50)), host.run(smallRun(1))];
  const outcomes = Promise.allSettled(left);
  await pause(50);
  await host.close();
  expect(await outcomes).toMatchObject(left.map(() => ({ reason: { code: 'runner_unavailable' } })));
  expect(() => process.kill(childPid ?? 0, 0)).toThrow('ESRCH');
  await expect(host.run(smallRun(1))).rejects.toMatchObject({ code: 'runner_unavailable' });
});
