import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { newHeader } from '../../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti, gzipNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import { type Vec3, voxelCount } from '../../../gpu-runner/volume/volume.ts';

const resultSchema = z.object({
  shape: z.array(z.number()),
  inputVoxels: z.number(),
  said: z.number(),
  held: z.number(),
  answered: z.number(),
});

/** The program's code, blocks that are read and packed, windows, the file itself, and what V8 has not collected. */
const FIXED_BYTES = 100e6;
/** Of what is said: allocators round up. */
const MARGIN = 1.1;

/** What a process of its own holds for an int16 volume in LPS, in millimetres of `size`. */
async function measure(shape: Vec3, size: number): Promise<z.infer<typeof resultSchema>> {
  const folder = await mkdtemp(join(tmpdir(), 'memory-test-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const affine = Float64Array.of(-size, 0, 0, 90, 0, -size, 0, 100, 0, 0, 1, -70, 0, 0, 0, 1);
  const data = Int16Array.from({ length: voxelCount(shape) }, (_, n) => ((n / 1000) | 0) % 400);
  const path = join(folder, 'volume.nii.gz');
  await writeFile(
    path,
    await gzipNifti(encodeNifti({ header: newHeader(shape, affine), datatype: 'int16', data }), 'digits'),
  );
  const program = new URL('../../support/memory-process.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, path]);
  return resultSchema.parse(JSON.parse(stdout));
}

it('a volume of 512 x 512 x 300 goes from file to label map within the memory that is said of it', async () => {
  const small = await measure([256, 256, 150], 0.7);
  const large = await measure([512, 512, 300], 0.7);
  expect(large.shape).toEqual([359, 359, 300]);
  expect(large.answered).toBeGreaterThan(1000);
  expect(large.held).toBeLessThan(large.said * MARGIN + FIXED_BYTES);
  // What grows, grows no faster than is said: a copy that is forgotten would show here.
  expect(large.held - small.held).toBeLessThan((large.said - small.said) * MARGIN);
});
