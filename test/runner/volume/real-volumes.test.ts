import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

const factsSchema = z.record(
  z.string(),
  z.object({
    shape: z.array(z.number()),
    affine_used: z.array(z.array(z.number())),
    intensity: z.object({ min: z.number(), max: z.number(), mean: z.number(), std: z.number() }),
  }),
);

function facts(): [string, z.infer<typeof factsSchema>[string]][] {
  const path = sharedPath('data', 'volumes', 'headers.json');
  return existsSync(path) ? Object.entries(factsSchema.parse(JSON.parse(readFileSync(path, 'utf8')))) : [];
}

describeShared('real volumes', () => {
  it('are there', () => {
    expect(facts().length).toBeGreaterThanOrEqual(5);
  });

  it.each(facts())('%s has the shape, affine and intensities that were found elsewhere', async (file, expected) => {
    const { volume } = await readNifti(readFileSync(sharedPath('data', 'volumes', file)));
    expect(volume.shape).toEqual(expected.shape);
    for (const [n, value] of expected.affine_used.flat().entries()) expect(volume.affine[n]).toBeCloseTo(value, 5);
    let [sum, squares, low, high] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of volume.data) {
      sum += value;
      squares += value * value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const mean = sum / volume.data.length;
    const { intensity } = expected;
    expect(low).toBeCloseTo(intensity.min, 3);
    expect(high).toBeCloseTo(intensity.max, 3);
    expect(mean).toBeCloseTo(intensity.mean, 3);
    expect(Math.sqrt(squares / volume.data.length - mean * mean)).toBeCloseTo(intensity.std, 3);
  });
});
