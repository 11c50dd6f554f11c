import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import { noiseVolume } from '../support/small-model.ts';
import { processTree } from './support/memory.ts';
import { labelMap, problemOf, pushReady, type SmallSystem, startSmallSystem } from './support/small-system.ts';

const TENANTS = ['hospital', 'clinic'] as const;
const REQUESTS = 20;
/** So that a run is well under way, and has seconds left. */
const UNDER_WAY_MS = 500;

/** An adapter of one name for both tenants, with a head and factors of its own for each. */
const TARGET = { parameter: 'swinViT.layers1.0.blocks.0.attn.qkv.weight', method: 'lora', rank: 2 };

describe('two tenants with an adapter of one name', () => {
  let system: SmallSystem;
  let keys: [string, string];
  let small: Uint8Array;
  let slow: Uint8Array;
  let alone: [Buffer, Buffer];

  const segment = (tenant: 0 | 1, volume = small) => system.segment('adapter=task', volume, keys[tenant]);
  const labels = async (tenant: 0 | 1) => labelMap(await segment(tenant));

  beforeAll(async () => {
    // One tenant has at most half of the places.
    system = await startSmallSystem({ PDORA_QUEUE_LIMIT: String(2 * REQUESTS) });
    [small, slow] = await Promise.all([noiseVolume([30, 30, 60]), noiseVolume([64, 96, 96])]);
    keys = [system.key, await system.makeTenant(TENANTS[1])];
    for (const [tenant, scale] of [1, 60].entries()) {
      const { bytes } = await system.model.adapter({ targets: [{ ...TARGET, scale }] });
      await pushReady(system, keys[tenant] ?? '', 'task', bytes);
    }
    alone = [await labels(0), await labels(1)];
  });
  afterAll(() => system.close());

  async function expectBothServed(): Promise<void> {
    expect((await labels(0)).equals(alone[0])).toBe(true);
    expect((await labels(1)).equals(alone[1])).toBe(true);
  }

  /** Starts a run of seconds and waits until it is under way. */
  async function startSlowRun(tenant: 0 | 1): Promise<{ reply: Promise<Response> }> {
    const reply = segment(tenant, slow);
    await expect.poll(queueLength, { timeout: 20_000, interval: 20 }).toBe(1);
    await wait(UNDER_WAY_MS);
    return { reply };
  }

  async function queueLength(): Promise<number> {
    const reply = await fetch(`${system.runner().url}/readyz`);
    return z.object({ queue: z.number() }).parse(await reply.json()).queue;
  }

  test('get what their own weights say', async () => {
    const voxels = await Promise.all(alone.map(async (file) => Array.from((await readNifti(file)).volume.data)));
    const different = voxels[0]?.reduce((count, value, n) => count + (voxels[1]?.[n] === value ? 0 : 1), 0);
    expect(different).toBeGreaterThan(100);
    await expectBothServed();
  });

  test('get the same from A to B and back to A', async () => {
    for (const tenant of [0, 1, 0, 0, 1, 1, 0] as const) {
      const reply = await segment(tenant);
      expect(reply.headers.get('x-adapter-id')).toBe(`${TENANTS[tenant]}/task`);
      expect(reply.headers.get('x-adapter-cache')).toBe('hot');
      expect((await labelMap(reply)).equals(alone[tenant])).toBe(true);
    }
  });

  test('get the same when all ask at once', async () => {
    const tenants = Array.from({ length: REQUESTS }, (_, n): 0 | 1 => (n % 3 === 1 ? 1 : 0));
    const replies = await Promise.all(tenants.map((tenant) => labels(tenant)));
    for (const [n, tenant] of tenants.entries()) expect(replies[n]?.equals(alone[tenant])).toBe(true);
  });

  test("lose the runs that are with the session's process, and are served by the next one", async () => {
    const { reply } = await startSlowRun(0);
    const [, child] = processTree(system.runner().pid);
    process.kill(child?.pid ?? Number.NaN, 'SIGKILL');
    const lost = await reply;
    expect(Number(lost.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(lost)).toMatchObject({ status: 503, code: 'runner_unavailable' });
    await expect.poll(async () => (await segment(0)).status, { timeout: 20_000 }).toBe(200);
    await expectBothServed();
  });

  test('lose a run with the runner, and are served by the next one', async () => {
    const { reply } = await startSlowRun(0);
    await system.runner().kill();
    const lost = await reply;
    expect(Number(lost.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(lost)).toMatchObject({ status: 503, code: 'runner_unavailable' });
    expect(await problemOf(await segment(1))).toMatchObject({ status: 503, code: 'runner_unavailable' });
    await system.restartRunner();
    await expectBothServed();
  });
});
