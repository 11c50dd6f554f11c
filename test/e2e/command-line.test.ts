import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { jobSchema } from '../../schemas/api-jobs.ts';
import { type Outcome, pdora, start } from '../cli/run.ts';
import { noiseVolume } from '../support/small-model.ts';
import { makeFolder } from './support/folder.ts';
import { labelMap, type SmallSystem, startSmallSystem } from './support/small-system.ts';

/** `pdora` against the built Worker and a real runner: a job from its beginning to its end, and one that is interrupted. */

let system: SmallSystem;
let folder: Awaited<ReturnType<typeof makeFolder>>;
beforeAll(async () => {
  [system, folder] = await Promise.all([startSmallSystem(), makeFolder()]);
});
afterAll(async () => {
  await Promise.all([system.close(), folder.remove()]);
});

const connected = () => ({ PDORA_URL: system.edge.url.href, PDORA_KEY: system.key });

async function run(...args: string[]): Promise<Outcome> {
  const outcome = await pdora(args, connected());
  expect(outcome.stderr).toBe('');
  expect(outcome.status).toBe(0);
  return outcome;
}

async function jobs() {
  return z.array(jobSchema).parse(JSON.parse((await run('job', 'list', '--json')).stdout));
}

async function segmentArgs(name: string, side: number): Promise<string[]> {
  const image = join(folder.path, `${name}.nii.gz`);
  await writeFile(image, await noiseVolume([side, 28, 40]));
  return ['segment', image, '-o', join(folder.path, `${name}.out.nii.gz`), '--adapter', 'good', '--async'];
}

test('a job’s label map is that of a synchronous call, and is there until it is erased', async () => {
  await run(...(await segmentArgs('job', 24)));
  const made = await readFile(join(folder.path, 'job.out.nii.gz'));
  expect(made.equals(await system.goodLabels())).toBe(true);

  const [job] = await jobs();
  const id = job?.id ?? '';
  expect(job).toMatchObject({ status: 'succeeded', adapter: 'hospital/good', progress: 1, voxels: 24 * 28 * 40 });
  const again = join(folder.path, 'again.nii.gz');
  await run('job', 'result', id, '-o', again);
  expect((await readFile(again)).equals(made)).toBe(true);
  await run('job', 'wait', id);
  await run('job', 'delete', id);
  expect(await jobs()).toEqual([]);

  await run(...(await segmentArgs('erased', 24)), '--erase');
  expect((await readFile(join(folder.path, 'erased.out.nii.gz'))).equals(made)).toBe(true);
  expect(await jobs()).toEqual([]);
});

test('a label map for 3D Slicer is the service’s own, without a server too, and has its report', async () => {
  const image = join(folder.path, 'slicer.nii.gz');
  const volume = await noiseVolume([24, 28, 40]);
  await Promise.all([
    writeFile(image, volume),
    writeFile(join(folder.path, 'base.safetensors'), system.model.base.bytes),
    writeFile(join(folder.path, 'good.safetensors'), system.good),
  ]);
  const expected = await labelMap(await system.segment('adapter=good&format=nrrd', volume));
  const out = (name: string) => join(folder.path, `${name}.seg.nrrd`);
  await run('segment', image, '-o', out('now'), '--adapter', 'good');
  await run('segment', image, '-o', out('later'), '--adapter', 'good', '--async');
  const files = ['--base', join(folder.path, 'base.safetensors'), '--adapter', join(folder.path, 'good.safetensors')];
  await run('segment', image, '-o', out('local'), '--local', ...files);
  for (const name of ['now', 'later', 'local']) expect((await readFile(out(name))).equals(expected)).toBe(true);

  const [job] = await jobs();
  const told = await system.edge.call('GET', `/v1/segmentations/${job?.id}/report`, { key: system.key });
  expect(JSON.parse((await run('job', 'report', job?.id ?? '', '--json')).stdout)).toEqual(await told.json());
  await run('job', 'delete', job?.id ?? '');
});

test('an interrupted command leaves its job cancelled, and nothing written', async () => {
  const child = start(await segmentArgs('long', 800), connected());
  const status = async () => (await jobs())[0]?.status;
  await expect.poll(status, { timeout: 30_000 }).toBe('running');
  child.kill('SIGINT');
  await once(child, 'close');
  expect(child.exitCode).toBe(130);
  expect(await jobs()).toMatchObject([{ status: 'cancelled', problem: { code: 'cancelled' } }]);
  await expect(readFile(join(folder.path, 'long.out.nii.gz'))).rejects.toThrow('ENOENT');
});
