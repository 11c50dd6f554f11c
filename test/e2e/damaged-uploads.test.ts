import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import { versionCreatedSchema } from '../../schemas/api.ts';
import { fileOf, noiseVolume, smallModel } from '../support/small-model.ts';
import { patchManifest } from './support/damage.ts';
import { choose, type DamagedFile } from './support/damaged-file.ts';
import { doubled, flippedInHeader, huge, lying, random, truncated } from './support/damaged-headers.ts';
import { manifests } from './support/damaged-manifests.ts';
import { flippedInData, flippedOnTheWay, misfits, spoilt, swapped, TARGETS } from './support/damaged-values.ts';
import { processTree } from './support/memory.ts';
import { problemOf, pushReady, type SmallSystem, serveBase, startSmallSystem } from './support/small-system.ts';
import { isStored } from './support/stored.ts';
import { verified } from './support/system.ts';

const UPLOADS = 1000;
const VALID = 10;
const AT_ONCE = 4;
const WARM_UP = 100;
/**
 * Between the end of the warm-up and the end. workerd collects what its isolates leave only when there are some hundred
 * megabytes of it: it grows until about two thousand uploads and stays there for as many thousands as one likes.
 */
const GROWTH_MAX_MIB = { runner: 64, child: 64, workerd: 400 };
/** Twenty times what it takes on two idle cores: a machine that is shared can be as slow. */
const FLOOD_TIMEOUT_MS = 900_000;
/** Of the voxels. */
const SLIPPED_MAX_SHARE = 0.01;

interface Outcome {
  readonly file: DamagedFile | null;
  /** What was expected of it, in one line, or what was found instead. */
  readonly told: string;
  readonly version: number | null;
}

describe('a thousand damaged adapter files', () => {
  let system: SmallSystem;
  let victim: Uint8Array;
  let files: (DamagedFile | null)[];
  let good: Buffer;
  const outcomes: Outcome[] = [];
  const memory: ReturnType<typeof memoryOf>[] = [];

  beforeAll(async () => {
    system = await startSmallSystem();
    const { model, key } = system;
    const other = await smallModel(['T1'], 2);
    await serveBase(system, other);
    victim = (await model.adapter({ targets: TARGETS })).bytes;
    await pushReady(system, key, 'victim', victim);
    const some = [
      ...spoilt(victim),
      ...swapped(victim),
      ...misfits(victim, model, other),
      ...flippedInData(victim, 16),
      ...flippedOnTheWay(victim, 20),
      ...lying(victim),
      ...manifests(victim),
      ...doubled(victim),
      ...huge(victim),
      ...random(60),
      ...flippedInHeader(victim, 240),
    ];
    const valid = Array.from({ length: VALID }, () => null);
    files = shuffled([...some, ...valid, ...truncated(victim, UPLOADS - some.length - VALID)]);
    good = await system.goodLabels();
  });
  afterAll(() => system.close());

  /** The version made of a file, or how it was refused where that was not as it should be. */
  async function upload(file: DamagedFile | null, n: number): Promise<Outcome> {
    const { edge, key } = system;
    const bytes = file?.bytes ?? patchManifest(victim, (manifest) => Object.assign(manifest, { description: `${n}` }));
    const fate = file?.fate ?? { by: 'none' };
    const name = file === null ? 'valid' : fate.by === 'edge' || fate.by === 'digest' ? 'refused' : 'doubtful';
    const headers = fate.by === 'digest' ? { 'repr-digest': fate.reprDigest } : {};
    const reply = await edge.call('POST', `/v1/adapters/${name}/versions`, { key, body: bytes, headers });
    if (reply.status !== 201) {
      const { status, code, problems } = await problemOf(reply);
      const told = `${status} ${code}${code === 'invalid_adapter' && (problems ?? []).length > 0 ? ' with problems' : ''}`;
      return { file, told, version: null };
    }
    const { version } = versionCreatedSchema.parse(await reply.json());
    const { status, problems } = await verified(edge, key, `${name}@${version}`);
    const codes = problems.map(({ code }) => code);
    const named = fate.by === 'runner' && fate.problem !== null && codes.includes(fate.problem) ? fate.problem : codes;
    return { file, told: `${status} ${named.toString()}`.trim(), version };
  }

  test(
    'are refused, each for what is wrong with it, while good requests go on as before',
    async () => {
      expect(files).toHaveLength(UPLOADS);
      for (let done = 0; done < UPLOADS; done += WARM_UP) {
        const batch = files.slice(done, done + WARM_UP).entries();
        const lane = async () => {
          for (const [n, file] of batch) outcomes.push(await upload(file, done + n));
        };
        const between = system.goodLabels();
        await Promise.all([...Array.from({ length: AT_ONCE }, lane), between]);
        expect((await between).equals(good)).toBe(true);
        memory.push(memoryOf(system));
      }
      const unexpected = outcomes.filter(({ file, told }) => !expectedOf(file).includes(told));
      expect(unexpected.map(({ file, told }) => `${file?.kind ?? 'a valid file'}: ${told}`)).toEqual([]);
    },
    FLOOD_TIMEOUT_MS,
  );

  test('leave nothing behind of what was refused at the door', async () => {
    const { edge, key } = system;
    expect((await edge.call('GET', '/v1/adapters/refused', { key })).status).toBe(404);
    const { data } = JSON.parse(await (await edge.call('GET', '/v1/adapters', { key })).text());
    const names = data.map(({ adapter }: { adapter: string }) => adapter);
    expect(names).toEqual(['doubtful', 'good', 'valid', 'victim'].map((name) => `hospital/${name}`));
    const refused = outcomes.flatMap(({ file, version }) => (file !== null && version === null ? [file] : []));
    const kept: string[] = [];
    for (const { kind, bytes } of refused.filter((_, n) => n % 4 === 0)) {
      if (await isStored(edge, bytes)) kept.push(kind);
    }
    expect(kept).toEqual([]);
    expect(await isStored(edge, victim)).toBe(true);
  });

  // The format's self-test allows logits 0.001, which is a hundredth of what the random network of this test answers.
  test('change next to nothing where a bit of the weights was too small to be noticed', async () => {
    const volume = await noiseVolume([24, 28, 40]);
    const labels = async (ref: string) => {
      const reply = await system.segment(`adapter=${ref}`, volume);
      expect(reply.status).toBe(200);
      return Float32Array.from((await readNifti(new Uint8Array(await reply.arrayBuffer()))).volume.data);
    };
    const want = await labels('victim');
    const slipped = outcomes.filter(({ file, told }) => file?.fate.by === 'nobody, perhaps' && told === 'ready');
    expect(slipped.length).toBeGreaterThan(0);
    for (const { version } of slipped) {
      const got = await labels(`doubtful@${version}`);
      const different = want.reduce((count, value, i) => count + (got[i] === value ? 0 : 1), 0);
      expect(different / want.length).toBeLessThan(SLIPPED_MAX_SHARE);
    }
  });

  test('are gone with the adapter that they were rejected for', async () => {
    const { edge, key } = system;
    const rejected = outcomes.flatMap(({ file, version }) => (file !== null && version !== null ? [file] : []));
    expect(rejected.length).toBeGreaterThan(90);
    expect(await isStored(edge, rejected[0]?.bytes ?? victim)).toBe(true);
    expect((await edge.call('DELETE', '/v1/adapters/doubtful', { key })).status).toBe(204);
    const shown = await edge.call('GET', '/v1/adapters/doubtful', { key });
    expect(await problemOf(shown)).toMatchObject({ status: 404, code: 'not_found' });
    const { digest } = fileOf(rejected[0]?.bytes ?? victim);
    const used = await system.segment(`adapter=${digest}`, new Uint8Array(9));
    expect(await problemOf(used)).toMatchObject({ status: 404, code: 'not_found' });
    expect((await system.goodLabels()).equals(good)).toBe(true);
  });

  test('leave the memory of every process where it was', () => {
    const [before, after] = [memory[0], memory.at(-1)];
    if (before === undefined || after === undefined) throw new Error('nothing was measured');
    for (const name of ['runner', 'child', 'workerd'] as const) {
      expect(after[name] - before[name], `${name}: ${JSON.stringify(memory)}`).toBeLessThan(GROWTH_MAX_MIB[name]);
    }
  });
});

/** What an upload may end as. */
function expectedOf(file: DamagedFile | null): string[] {
  if (file === null) return ['ready'];
  const { fate } = file;
  if (fate.by === 'edge') return ['422 invalid_adapter with problems'];
  if (fate.by === 'digest') return ['400 invalid_request'];
  if (fate.by === 'runner') return [`rejected ${fate.problem}`];
  return ['ready', 'rejected selftest', 'rejected not_finite'];
}

/** Of the runner, its session's process and workerd, by what they are. */
function memoryOf(system: SmallSystem) {
  const [runner, child] = processTree(system.runner().pid);
  const workerd = processTree(process.pid).filter(({ name }) => name === 'workerd');
  const sum = workerd.reduce((total, { residentMiB }) => total + residentMiB, 0);
  return {
    runner: Math.round(runner?.residentMiB ?? Number.NaN),
    child: Math.round(child?.residentMiB ?? Number.NaN),
    workerd: Math.round(sum),
  };
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item, n) => ({ item, place: choose(n, 2 ** 31) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
