import { expect, it } from 'vitest';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { prepare } from '../../../gpu-runner/volume/prepare.ts';
import { describeShared } from '../../support/shared.ts';
import {
  expectedRuns,
  geometryCases,
  largestDifference,
  largestValue,
  parityFile,
  storedFloats,
  storedLabels,
} from './golden.ts';

const RAS = { orientation: 'RAS', spacing: null, intensity: { kind: 'none' } } as const;
const RESAMPLED = {
  orientation: 'RAS',
  spacing: [1, 1, 1] as [number, number, number],
  intensity: { kind: 'none' },
} as const;
const NORMALISED = { ...RESAMPLED, intensity: { kind: 'zscore', mask: 'nonzero' } } as const;

describeShared('geometry as MONAI computes it', () => {
  const cases = geometryCases();

  it('has all its cases', () => {
    expect(cases.length).toBeGreaterThanOrEqual(11);
  });

  it.each(cases)(
    '$name is read, oriented, resampled, normalised and brought back',
    async ({ file, arrays, arrays_file }) => {
      const stored = parityFile('geometry', arrays_file);
      const { volume } = await readNifti(parityFile('geometry', file));
      const loaded = storedFloats(stored, arrays.loaded);
      expect(volume.shape).toEqual(arrays.loaded.shape);
      expect(largestDifference(volume.data, loaded) / largestValue(loaded)).toBeLessThan(1e-6);
      expect(largestDifference(volume.affine, arrays.loaded.affine.flat())).toBeLessThan(1e-6);

      for (const [preprocessing, array, tolerance] of [
        [RAS, arrays.ras, 1e-6],
        [RESAMPLED, arrays.resampled, 1e-5],
        [NORMALISED, arrays.normalised, 1e-5],
      ] as const) {
        const prepared = prepare([volume], preprocessing);
        const expected = storedFloats(stored, array);
        expect(prepared.shape).toEqual(array.shape);
        expect(largestDifference(prepared.affine, array.affine.flat())).toBeLessThan(1e-6);
        expect(largestDifference(prepared.data, expected) / largestValue(expected)).toBeLessThan(tolerance);
      }

      const back = prepare([volume], RESAMPLED).labelsBack(storedLabels(stored, arrays.labels_on_grid));
      expect(largestDifference(back, storedLabels(stored, arrays.labels_on_input))).toBe(0);
    },
  );
});

describeShared('inputs of whole runs as MONAI prepares them', () => {
  for (const folder of ['p1-legacy-f12', 'p2-fixed-f12-2ch']) {
    const { inputs, runs } = expectedRuns(folder);
    it.each(runs)(`${folder} for $adapter`, async ({ preprocessing, grid, prepared }) => {
      const images = await Promise.all(inputs.map(({ file }) => readNifti(parityFile(folder, file))));
      const ours = prepare(
        images.map(({ volume }) => volume),
        preprocessing,
      );
      expect(ours.shape).toEqual(grid.shape);
      expect(ours.channels).toBe(inputs.length);
      expect(largestDifference(ours.affine, grid.affine.flat())).toBeLessThan(1e-6);
      const values = prepared.positions.map((position) => ours.data[position] ?? Number.NaN);
      expect(largestDifference(values, prepared.values)).toBeLessThan(1e-4 * largestValue(prepared.values));
    });
  }
});
