import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import { describeShared, sharedPath } from '../support/shared.ts';
import { pdora } from './run.ts';

const P1 = ['fixtures', 'parity', 'p1-legacy-f12'] as const;
const BASE = sharedPath(...P1, 'base.safetensors');
const ADAPTER = sharedPath(...P1, 'adapter-hippocampus.safetensors');
const ADAPTER_DIGEST = 'sha256:104758d387b5b328fc099a019e015209deb983472889b359800c45b7aac777a6';
const OTHER_BASE = sharedPath('fixtures', 'parity', 'p2-fixed-f12-2ch', 'base.safetensors');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describeShared('pdora adapter and base check', () => {
  it('exits 0 for a valid adapter with its base', async () => {
    const { status, stderr } = await pdora(['adapter', 'check', ADAPTER, '--base', BASE]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('exits 3 without the base and names the rules it did not check', async () => {
    const { status, stdout } = await pdora(['adapter', 'check', ADAPTER]);
    expect(status).toBe(3);
    for (const rule of ['unknown_base', 'wrong_base', 'no_effect', 'selftest']) expect(stdout).toContain(rule);
  });

  it('exits 1 with the code of every problem', async () => {
    const bytes = await readFile(ADAPTER);
    // The last tensor's last value becomes a NaN, and a label in the header another one of the same length.
    bytes.set([0, 0, 0xc0, 0x7f], bytes.length - 4);
    const label = bytes.indexOf('\\"value\\": 2');
    const compact = bytes.indexOf('\\"value\\":2');
    bytes.write('3', label >= 0 ? label + '\\"value\\": '.length : compact + '\\"value\\":'.length);
    expect(Math.max(label, compact)).toBeGreaterThan(0);
    const broken = join(folder, 'broken.safetensors');
    await writeFile(broken, bytes);
    const { status, stdout, stderr } = await pdora(['adapter', 'check', broken]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^labels /m);
    expect(stdout).toMatch(/^not_finite /m);
    expect(stderr).toMatch(/^pdora: invalid_adapter: [^\n]*problems?\n$/);
  });

  it('exits 1 with another base', async () => {
    const { status, stdout } = await pdora(['adapter', 'check', ADAPTER, '--base', OTHER_BASE]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^unknown_base /m);
  });

  it('checks a base with its self-test, and refuses a file that is none', async () => {
    const valid = await pdora(['base', 'check', BASE]);
    expect(valid.status).toBe(0);
    expect(valid.stdout).toMatch(/^valid base sha256:[0-9a-f]{64}\n$/);
    const none = await pdora(['base', 'check', ADAPTER]);
    expect(none.status).toBe(1);
    expect(none.stdout).toMatch(/^manifest /m);
  });

  it('inspects as JSON what the manifest says, with digest and methods', async () => {
    const { status, stdout } = await pdora(['adapter', 'inspect', ADAPTER, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'hippocampus',
      file: { digest: ADAPTER_DIGEST },
      methods: [
        { method: 'pdora factor axis in', rank: 8, layers: 24 },
        { method: 'replaced', rank: null, layers: 2 },
      ],
    });
  });

  it('segments without a server as MONAI does', async () => {
    const labels = join(folder, 'labels.nii.gz');
    const probabilities = join(folder, 'probabilities.nii.gz');
    const models = ['--local', '--base', BASE, '--adapter', ADAPTER];
    const args = ['segment', sharedPath(...P1, 'input.nii.gz'), '-o', labels, ...models];
    const { status, stdout } = await pdora([...args, '--probabilities', probabilities]);
    expect(status).toBe(0);
    expect(stdout).toContain(ADAPTER_DIGEST);
    const found = (await readNifti(await readFile(labels))).volume;
    const golden = (await readNifti(await readFile(sharedPath(...P1, 'labels-hippocampus.nii.gz')))).volume;
    expect(found.shape).toEqual(golden.shape);
    const equal = found.data.filter((value, at) => value === golden.data[at]).length;
    expect(equal / golden.data.length).toBeGreaterThanOrEqual(0.999);
    expect((await readFile(probabilities)).length).toBeGreaterThan(0);
  });

  it('leaves no label map where the image is none', async () => {
    const image = join(folder, 'image.nii.gz');
    await writeFile(image, 'no gzip at all');
    const out = join(folder, 'out.nii.gz');
    const { status, stderr } = await pdora(['segment', image, '-o', out, '--local', '--base', BASE]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: invalid_volume: [^\n]+\n$/);
    await expect(readFile(out)).rejects.toThrow('ENOENT');
  });
});
