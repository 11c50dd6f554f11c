import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { sharedPath } from '../../support/shared.ts';

const storedSchema = z.object({
  shape: z.array(z.number()),
  offset: z.number(),
  affine: z.array(z.array(z.number())),
});
const geometrySchema = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      arrays_file: z.string(),
      arrays: z.object({
        loaded: storedSchema,
        ras: storedSchema,
        resampled: storedSchema,
        normalised: storedSchema,
        labels_on_grid: storedSchema,
        labels_on_input: storedSchema,
      }),
    }),
  ),
});
const expectedSchema = z.object({
  inputs: z.array(z.object({ file: z.string() })),
  runs: z.array(
    z.object({
      adapter: z.string().nullable(),
      preprocessing: z.object({
        orientation: z.string().nullable(),
        spacing: z.tuple([z.number(), z.number(), z.number()]).nullable(),
        intensity: z.object({ kind: z.literal('zscore'), mask: z.literal('nonzero') }),
      }),
      grid: z.object({ shape: z.array(z.number()), affine: z.array(z.array(z.number())) }),
      prepared: z.object({ positions: z.array(z.number()), values: z.array(z.number()) }),
      labels: z.object({ file: z.string() }),
    }),
  ),
});

export type StoredArray = z.infer<typeof storedSchema>;

/** A file of the golden results. */
export function parityFile(...parts: string[]): Uint8Array {
  return readFileSync(sharedPath('fixtures', 'parity', ...parts));
}

/** Golden JSON, or nothing where the shared folder is absent and its tests are skipped. */
function parityJson(...parts: string[]): unknown {
  const path = sharedPath('fixtures', 'parity', ...parts);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** What MONAI makes of small volumes: orientation, spacing, intensity and the way back. */
export function geometryCases(): z.infer<typeof geometrySchema>['cases'] {
  const json = parityJson('geometry', 'geometry.json');
  return json === undefined ? [] : geometrySchema.parse(json).cases;
}

/** What a whole run of MONAI gives for the volumes in a folder. */
export function expectedRuns(folder: string): z.infer<typeof expectedSchema> {
  const json = parityJson(folder, 'expected.json');
  return json === undefined ? { inputs: [], runs: [] } : expectedSchema.parse(json);
}

export function storedFloats(bytes: Uint8Array, { shape, offset }: StoredArray): Float32Array {
  const count = shape.reduce((product, side) => product * side, 1);
  return new Float32Array(Uint8Array.from(bytes.subarray(offset, offset + count * 4)).buffer);
}

export function storedLabels(bytes: Uint8Array, { shape, offset }: StoredArray): Uint8Array {
  const count = shape.reduce((product, side) => product * side, 1);
  return Uint8Array.from(bytes.subarray(offset, offset + count));
}

/** The largest difference between two arrays; infinite where their lengths differ or one holds NaN. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let n = 0; n < a.length; n++) {
    const difference = Math.abs((a[n] ?? Number.NaN) - (b[n] ?? Number.NaN));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}

/** The largest absolute value. */
export function largestValue(a: ArrayLike<number>): number {
  return largestDifference(a, new Float64Array(a.length));
}
