import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pdora } from './run.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const CONNECTED = { PDORA_URL: 'http://127.0.0.1:9', PDORA_KEY: 'key' };

describe('the pdora command', () => {
  it('lists its commands with --help and exits 0', async () => {
    const { status, stdout } = await pdora(['--help']);
    expect(status).toBe(0);
    for (const command of [
      'segment',
      'job',
      'adapter',
      'base',
      'tenant',
      'key',
      'audit',
      'dicom-seg',
      'demo',
      'phantom',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
  });

  it.each([
    [['nonsense']],
    [[]],
    [['adapter']],
    [['adapter', 'nonsense']],
    [['adapter', 'check']],
    [['adapter', 'import', 'folder', '-o', 'out.safetensors']],
    [['adapter', 'fuse', 'a.safetensors', '--base', 'base.safetensors']],
    [['base', 'export-onnx', '-o', 'out.onnx']],
    [['phantom', '--seed', '1']],
    [['phantom', '--seed', 'x', '-o', 'out']],
    [['phantom', '--seed', '1', '--grid', '7mm', '-o', 'out']],
    [['phantom', '--seed', '1', '--healthy', '--metastases', '-o', 'out']],
    [['key', 'create', 'clinic']],
    [['key', 'create', 'clinic', '--scope', 'everything']],
    [['segment', 'a.nii.gz', '-o', 'out.nii.gz', '--local']],
    [['segment', 'a.nii.gz', '-o', 'out.nii.gz']],
    [['segment', 'a.nii.gz', 'b.nii.gz', '-o', 'out.nii.gz', '--adapter', 'x']],
    [['segment', 'T1=a.nii.gz', 'T1=b.nii.gz', '-o', 'out.nii.gz', '--adapter', 'x']],
    [['segment', 'a.nii.gz', '-o', 'out.nii.gz', '--adapter', 'x', '--base', 'b.safetensors']],
    [['segment', 'a.nii.gz', '-o', 'out.nii', '--adapter', 'x']],
    [['segment', 'a.nii.gz', '-o', 'out.nii.gz', '--adapter', 'Not A Name']],
    [['segment', 'a.nii.gz', '-o', 'out.nii.gz', '--local', '--base', 'b.safetensors', '--async']],
    [['job', 'list', '--limit', '0']],
    [['job', 'show']],
    [['job', 'result', 'id']],
    [['job', 'result', 'id', '-o', 'out.nii']],
    [['job', 'report']],
    [['dicom-seg', 'series', '-o', 'out.dcm']],
    [['dicom-seg', 'series', 'mask.nii.gz', '-o', 'out.nii.gz']],
    [['adapter', 'show', 'Not A Name']],
    [['adapter', 'delete', 'name@alias']],
    [['adapter', 'alias', 'name', 'stable']],
    [['adapter', 'alias', 'name', 'latest', '1']],
    [['adapter', 'alias', 'name', 'stable', 'x']],
    [['adapter', 'alias', 'name', 'stable', '1', '--delete']],
    [['adapter', 'alias', 'name', 'stable', '1', '--expected', 'somewhere']],
    [['adapter', 'alias', 'name', 'stable', '--delete', '--expected', 'none']],
    [['adapter', 'grant', 'name@1', 'clinic']],
    [['adapter', 'grant', 'name', 'Not A Tenant']],
    [['key', 'rotate', 'clinic', 'id', '--overlap', '-1']],
    [['audit', '--limit', '0']],
  ])('exits 2 on the wrong usage %j and says why on stderr', async (args: string[]) => {
    const { status, stdout, stderr } = await pdora(args, CONNECTED);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('exits 2 without an address or a key, naming the options', async () => {
    const nothing = await pdora(['tenant', 'list']);
    expect(nothing.status).toBe(2);
    expect(nothing.stderr).toContain('PDORA_URL');
    const noKey = await pdora(['tenant', 'list'], { PDORA_URL: 'http://127.0.0.1:9' });
    expect(noKey.status).toBe(2);
    expect(noKey.stderr).toContain('PDORA_KEY');
  });

  it('says in one line that nothing answers at the address', async () => {
    const { status, stderr } = await pdora(['tenant', 'list'], CONNECTED);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: unreachable: .*127\.0\.0\.1:9.*ECONNREFUSED.*\n$/);
  });

  it('refuses a missing output folder before any work', async () => {
    const image = join(folder, 'image.nii.gz');
    await writeFile(image, 'not looked at');
    const args = ['segment', image, '-o', join(folder, 'missing', 'out.nii.gz'), '--adapter', 'task'];
    const { status, stderr } = await pdora(args, CONNECTED);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: no_such_folder: .*\n$/);
    expect(await readdir(folder)).toEqual(['image.nii.gz']);
  });

  it('refuses a missing image before any work', async () => {
    const args = ['segment', join(folder, 'no.nii.gz'), '-o', join(folder, 'out.nii.gz'), '--adapter', 'task'];
    const { status, stderr } = await pdora(args, CONNECTED);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: no_such_file: .*no\.nii\.gz\n$/);
  });

  it('writes the four files of each phantom asked for', async () => {
    const { status } = await pdora(['phantom', '--seed', '7', '--count', '2', '--healthy', '-o', folder]);
    expect(status).toBe(0);
    expect((await readdir(folder)).toSorted()).toEqual(['seed-0007', 'seed-0008']);
    expect((await readdir(join(folder, 'seed-0008'))).toSorted()).toEqual([
      'deep-structures.nii.gz',
      'image.nii.gz',
      'metastasis.nii.gz',
      'tissue.nii.gz',
    ]);
  });
});
