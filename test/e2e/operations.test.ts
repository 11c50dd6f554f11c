import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { noiseVolume } from '../support/small-model.ts';
import { patchTensor } from './support/damage.ts';
import { endOf, resultOf, submitJob } from './support/jobs.ts';
import { labelMap, problemOf, pushReady, type SmallSystem, startSmallSystem } from './support/small-system.ts';

/** What is loaded: two valid files of other weights, and one that a runner rejects. */
type Weights = 'a' | 'b' | 'broken';
type Tenant = 'hospital' | 'clinic';

/** A step, and what must come of it: an error's code, or for a segmentation the weights it is made with. */
type Step =
  | { readonly load: Weights; readonly to: string; readonly by?: Tenant }
  | { readonly unload: string; readonly by?: Tenant; readonly refused?: string }
  | { readonly alias: string; readonly version: number; readonly expected: number | null; readonly refused?: string }
  | { readonly grant: string; readonly to: Tenant | '*' }
  | { readonly withdraw: string; readonly from: Tenant | '*' }
  | { readonly run: string; readonly by?: Tenant; readonly like: Weights | 'not_found' | 'adapter_not_ready' };

const SEQUENCES: Record<string, readonly Step[]> = {
  'one name with other weights, and with the first again': [
    { run: 'task', like: 'not_found' },
    { load: 'a', to: 'task' },
    { run: 'task', like: 'a' },
    { unload: 'task' },
    { run: 'task', like: 'not_found' },
    { load: 'b', to: 'task' },
    { run: 'task', like: 'b' },
    { run: 'task@1', like: 'not_found' },
    { load: 'a', to: 'task' },
    { run: 'task', like: 'a' },
    { run: 'task@2', like: 'b' },
    { unload: 'task' },
  ],
  'an alias from A to B and back to A': [
    { load: 'a', to: 'swap' },
    { load: 'b', to: 'swap' },
    { alias: 'swap/aliases/stable', version: 1, expected: null },
    { run: 'swap@stable', like: 'a' },
    { alias: 'swap/aliases/stable', version: 2, expected: 1 },
    { run: 'swap@stable', like: 'b' },
    { alias: 'swap/aliases/stable', version: 1, expected: 1, refused: 'alias_conflict' },
    { run: 'swap@stable', like: 'b' },
    { alias: 'swap/aliases/stable', version: 1, expected: 2 },
    { run: 'swap@stable', like: 'a' },
    { unload: 'swap/versions/1', refused: 'in_use' },
    { unload: 'swap', refused: 'in_use' },
    { run: 'swap@stable', like: 'a' },
    { unload: 'swap/versions/2' },
    { run: 'swap', like: 'a' },
    { unload: 'swap/aliases/stable' },
    { unload: 'swap' },
  ],
  'two tenants with one name, and with one file': [
    { load: 'a', to: 'same' },
    { load: 'b', to: 'same', by: 'clinic' },
    { run: 'same', like: 'a' },
    { run: 'same', by: 'clinic', like: 'b' },
    { run: 'hospital/same', by: 'clinic', like: 'not_found' },
    { load: 'a', to: 'same', by: 'clinic' },
    { unload: 'same' },
    { run: 'same', like: 'not_found' },
    { run: 'same', by: 'clinic', like: 'a' },
    { unload: 'same/versions/2', by: 'clinic' },
    { run: 'same', by: 'clinic', like: 'b' },
    { unload: 'same', by: 'clinic' },
  ],
  'a broken version beside a good one': [
    { load: 'a', to: 'mixed' },
    { load: 'broken', to: 'mixed' },
    { run: 'mixed', like: 'a' },
    { run: 'mixed@2', like: 'adapter_not_ready' },
    { alias: 'mixed/aliases/stable', version: 2, expected: null, refused: 'adapter_not_ready' },
    { unload: 'mixed/versions/1' },
    { run: 'mixed', like: 'adapter_not_ready' },
    { load: 'b', to: 'mixed' },
    { run: 'mixed', like: 'b' },
    { unload: 'mixed' },
  ],
  'a grant, and another adapter of its name later': [
    { load: 'a', to: 'shared' },
    { load: 'b', to: 'shared', by: 'clinic' },
    { grant: 'shared', to: 'clinic' },
    { run: 'hospital/shared', by: 'clinic', like: 'a' },
    { run: 'shared', by: 'clinic', like: 'b' },
    { withdraw: 'shared', from: 'clinic' },
    { run: 'hospital/shared', by: 'clinic', like: 'not_found' },
    { grant: 'shared', to: 'clinic' },
    { unload: 'shared' },
    { load: 'b', to: 'shared' },
    { run: 'hospital/shared', by: 'clinic', like: 'not_found' },
    { unload: 'shared' },
    { unload: 'shared', by: 'clinic' },
  ],
};

/** Another service's users were promised that a load takes no longer. */
const FIRST_ANSWER_MAX_MS = 5_000;
const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv.weight';

describe('loading, using and unloading', () => {
  let system: SmallSystem;
  let keys: Record<Tenant, string>;
  let files: Record<Weights, Uint8Array>;
  let volume: Uint8Array;
  let slow: Uint8Array;
  /** What the weights make of the volume under a name that nothing else is done to. */
  let made: Record<'a' | 'b', Buffer>;

  const call = (method: string, path: string, by: Tenant = 'hospital', json?: unknown) =>
    system.edge.call(method, `/v1/adapters/${path}`, { key: keys[by], ...(json === undefined ? {} : { json }) });
  const run = (ref: string, by: Tenant = 'hospital', body = volume) => system.segment(`adapter=${ref}`, body, keys[by]);

  beforeAll(async () => {
    system = await startSmallSystem();
    keys = { hospital: system.key, clinic: await system.makeTenant('clinic') };
    [volume, slow] = await Promise.all([noiseVolume([24, 28, 40]), noiseVolume([80, 96, 96])]);
    const [a, b] = await Promise.all(
      [1, 60].map((scale) => system.model.adapter({ targets: [{ parameter: QKV, method: 'lora', rank: 2, scale }] })),
    );
    if (a === undefined || b === undefined) throw new Error('two were made');
    const broken = patchTensor(a.bytes, /::up$/, (data) => void data.fill(Number.NaN, 0, 1));
    files = { a: a.bytes, b: b.bytes, broken };
    for (const weights of ['a', 'b'] as const)
      await pushReady(system, keys.hospital, `only-${weights}`, files[weights]);
    made = { a: await labelMap(await run('only-a')), b: await labelMap(await run('only-b')) };
    expect(made.a.equals(made.b)).toBe(false);
  });
  afterAll(() => system.close());

  async function take(step: Step): Promise<unknown> {
    if ('load' in step) return (await system.push(keys[step.by ?? 'hospital'], step.to, files[step.load])).status;
    if ('unload' in step) return await told(await call('DELETE', step.unload, step.by));
    if ('alias' in step) {
      const { version, expected } = step;
      return await told(await call('PUT', step.alias, 'hospital', { version, expected }));
    }
    if ('grant' in step) return await told(await call('PUT', `${step.grant}/grants/${step.to}`));
    if ('withdraw' in step) return await told(await call('DELETE', `${step.withdraw}/grants/${step.from}`));
    const reply = await run(step.run, step.by);
    if (!reply.ok) return await told(reply);
    const labels = await labelMap(reply);
    return labels.equals(made.a) ? 'a' : labels.equals(made.b) ? 'b' : 'neither';
  }

  test.each(Object.entries(SEQUENCES))('%s', async (_, steps) => {
    const found = [];
    for (const step of steps) found.push({ step, came: await take(step) });
    expect(found).toEqual(steps.map((step) => ({ step, came: expectedOf(step) })));
  });

  test('a run and a job that have begun keep their weights while the alias moves and their version is deleted', async () => {
    const alone = await labelMap(await run('only-a', 'hospital', slow));
    for (const weights of ['a', 'b'] as const) await pushReady(system, keys.hospital, 'moving', files[weights]);
    await call('PUT', 'moving/aliases/stable', 'hospital', { version: 1, expected: null });
    const reply = run('moving@stable', 'hospital', slow);
    await expect.poll(queue, { timeout: 20_000, interval: 20 }).toBe(1);
    const job = await submitJob(system.edge, keys.hospital, 'moving@stable', volume);
    await expect.poll(queue, { timeout: 20_000, interval: 20 }).toBe(2);
    expect((await call('PUT', 'moving/aliases/stable', 'hospital', { version: 2, expected: 1 })).status).toBe(200);
    expect((await call('DELETE', 'moving/versions/1')).status).toBe(204);
    expect(await queue()).toBe(2);
    expect((await labelMap(await reply)).equals(alone)).toBe(true);
    expect(await endOf(system.edge, keys.hospital, job, Date.now() + 60_000)).toMatchObject({ version: 1 });
    expect((await resultOf(system.edge, keys.hospital, job)).equals(made.a)).toBe(true);
    expect((await labelMap(await run('moving@stable'))).equals(made.b)).toBe(true);
  });

  test('a new adapter gives its first label map within seconds of its upload', async () => {
    const { bytes } = await system.model.adapter({ description: 'new' });
    const start = performance.now();
    await pushReady(system, keys.clinic, 'new', bytes);
    expect((await run('new', 'clinic')).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(FIRST_ANSWER_MAX_MS);
  });

  /** Runs that the runner has, the one that it works on among them. */
  async function queue(): Promise<number> {
    const reply = await fetch(`${system.runner().url}/readyz`);
    return z.object({ queue: z.number() }).parse(await reply.json()).queue;
  }
});

function expectedOf(step: Step): unknown {
  if ('load' in step) return step.load === 'broken' ? 'rejected' : 'ready';
  if ('run' in step) return step.like;
  return 'refused' in step ? step.refused : 'done';
}

async function told(reply: Response): Promise<string> {
  return reply.ok ? 'done' : (await problemOf(reply)).code;
}
