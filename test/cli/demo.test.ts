import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import { pdora } from './run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-demo-test-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('pdora demo', () => {
  it('keeps its promises on unseen heads and leaves label maps and pictures of them', async () => {
    const { status, stdout, stderr } = await pdora(['demo', '-o', folder]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('not_found, as it should be');
    expect(stdout).toContain('the same bytes');
    for (const name of ['metastasis-2mm', 'metastasis-anisotropic', 'deep-structures-2mm', 'deep-structures-oblique']) {
      const found = await readNifti(await readFile(join(folder, name, 'labels.nii.gz')));
      const image = await readNifti(await readFile(join(folder, name, 'image.nii.gz')));
      expect(found.volume.shape).toEqual(image.volume.shape);
      expect(found.volume.affine).toEqual(image.volume.affine);
      expect(decode(await readFile(join(folder, name, 'picture.png'))).width).toBeGreaterThan(600);
    }
  }, 400_000);
});
