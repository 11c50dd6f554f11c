import { describe, expect, it } from 'vitest';
import { checkSameGrid, prepare } from '../../../gpu-runner/volume/prepare.ts';
import type { Vec3, Volume } from '../../../gpu-runner/volume/volume.ts';
import type { Preprocessing } from '../../../schemas/manifest.ts';

const NONE: Preprocessing = { orientation: null, spacing: null, intensity: { kind: 'none' } };

function diagonal([x, y, z]: Vec3, origin: Vec3 = [0, 0, 0]): Float64Array {
  return Float64Array.of(x, 0, 0, origin[0], 0, y, 0, origin[1], 0, 0, z, origin[2], 0, 0, 0, 1);
}

function line(values: readonly number[], size: number): Volume {
  return { shape: [1, 1, values.length], affine: diagonal([1, 1, size]), data: Float32Array.from(values) };
}

function prepared(volume: Volume, change: Partial<Preprocessing>): number[] {
  return [...prepare([volume], { ...NONE, ...change }).data];
}

describe('spacing', () => {
  it('interpolates between voxels and keeps the first corner', () => {
    expect(prepared(line([0, 10, 20, 40], 2), { spacing: [1, 1, 1] })).toEqual([0, 5, 10, 15, 20, 30, 40]);
  });

  it('takes the border voxel where the new grid reaches beyond the old', () => {
    // 3 intervals of 1.2 mm are 3.6 voxels of 1 mm: 4.6 rounds to 5, the last at 4 mm.
    const values = prepared(line([0, 12, 24, 36], 1.2), { spacing: [1, 1, 1] });
    for (const [n, value] of [0, 10, 20, 30, 36].entries()) expect(values[n]).toBeCloseTo(value, 5);
  });

  it.each<[number, number]>([
    [2, 2],
    [4, 2],
    [6, 4],
  ])('rounds half a voxel to the even number: %i voxels of 0.5 mm become %i', (before, after) => {
    expect(prepare([line(Array<number>(before).fill(1), 0.5)], { ...NONE, spacing: [1, 1, 1] }).shape).toEqual([
      1,
      1,
      after,
    ]);
  });

  it('leaves a voxel size within 0.001 mm as it is, and changes one beyond', () => {
    const volume = { shape: [3, 3, 3] as Vec3, affine: diagonal([1.0008, 0.9995, 1.2]), data: new Float32Array(27) };
    const { affine, shape } = prepare([volume], { ...NONE, spacing: [1, 1, 1] });
    for (const [n, value] of diagonal([1.0008, 0.9995, 1]).entries()) expect(affine[n]).toBeCloseTo(value, 12);
    expect(shape).toEqual([3, 3, 3]);
  });

  it('gives back every voxel unchanged where nothing changes', () => {
    const data = Float32Array.from({ length: 60 }, (_, n) => Math.fround(Math.sin(n) * 1e5));
    const volume = { shape: [3, 4, 5] as Vec3, affine: diagonal([1, 1, 1], [0.3, -0.7, 9]), data };
    for (const change of [{}, { spacing: [1, 1, 1] as [number, number, number] }, { orientation: 'RAS' }]) {
      expect(prepared(volume, change)).toEqual([...data]);
    }
  });

  it.each([
    // MONAI's Spacing on voxels that are 0 and then 1000: its rounding lets 1e-15 of a neighbour in, and that voxel then counts
    // as not zero.
    [11, 2, 8, 8.881784197001252e-13],
    [11, 3, 12, 8.881784197001252e-13],
    [32, 3, 45, 1.7763568394002505e-12],
  ])(
    'rounds as MONAI does: of %i voxels of %i mm, new voxel %i holds a trace of the next',
    (n, size, trace, expected) => {
      const step = Array.from({ length: n }, (_, k) => (k < Math.floor(n / 2) ? 0 : 1000));
      const values = prepared(line(step, size), { spacing: [1, 1, 1] });
      const traces = [...values.entries()].filter(([, value]) => value > 0 && value < 1e-6);
      expect(traces).toEqual([[trace, Math.fround(expected)]]);
    },
  );

  it.each([
    // What MONAI's inverse of Spacing (nearest) takes each voxel's label from. Plain rounding of halves to the even one would
    // differ at voxels 3 and 11 of the second line and 6 and 14 of the third.
    [0.5, 1, '0 0 1 2 2 2 3 4 4 4 5 6 6 6 7 8 8 8 9 10 10 10 11 12 12 12 13 14 14 14 15'],
    [0.5, 1, '0 0 1 1 2 2 3 4 4 4 5 5 6 6 7 8 8 8 9 10 10 10 11 11'],
    [1, 4, '0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4 5 5 5 6 6 6 6 6 7 7 7 8 8 8 8 8 9 9'],
    [
      1,
      2,
      `0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 11 11 12 12 13 13 14 14 15 15 16 16 17 17 18 18 18 19 20 20 21 21 22 22 23 23 24 24 25 25 26
      26 27 27 28 28 29 29 30 30 31 31 32 32 33 33 34 34 35 35 36 36 37 37 38 38 39 39 40 40 41 41 42 42 43 43 44 44 45 45 46 46 47 47 48 48 49 49 50 50 51 51`,
    ],
  ])('takes labels from half way as MONAI does: %d mm from %i mm', (size, spacing, text) => {
    const expected = text.split(/\s+/).map(Number);
    const grid = prepare([line(Array<number>(expected.length).fill(0), size)], { ...NONE, spacing: [1, 1, spacing] });
    expect([...grid.labelsBack(Uint8Array.from({ length: grid.shape[2] }, (_, n) => n))]).toEqual(expected);
  });

  it('brings labels back from the nearest voxel, from half way the even one', () => {
    // PyTorch's grid_sample rounds 0.5, 1.5 and 2.5 to 0, 2 and 2.
    const grid = prepare([line([0, 0, 0, 0, 0, 0, 0], 0.5)], { ...NONE, spacing: [1, 1, 1] });
    expect(grid.shape).toEqual([1, 1, 4]);
    expect([...grid.labelsBack(Uint8Array.of(1, 2, 3, 4))]).toEqual([1, 1, 2, 3, 3, 3, 4]);
    expect([...grid.labelsBack(Uint16Array.of(1000, 2000, 3000, 4000))]).toEqual([
      1000, 1000, 2000, 3000, 3000, 3000, 4000,
    ]);
  });

  it('brings probabilities back trilinearly, the class last', () => {
    const grid = prepare([line([0, 0, 0, 0, 0, 0, 0], 0.5)], { ...NONE, spacing: [1, 1, 1] });
    const back = grid.probabilitiesBack(Float32Array.of(0, 0.5, 1, 1, 1, 0.5, 0, 0), 2);
    expect([...back]).toEqual([0, 1, 0.25, 0.75, 0.5, 0.5, 0.75, 0.25, 1, 0, 1, 0, 1, 0]);
  });

  it('refuses a grid beyond the limit before it is allocated', () => {
    const far = { shape: [2, 2, 2] as Vec3, affine: diagonal([1e9, 1e9, 1e9]), data: new Float32Array(8) };
    const refusal = expect.objectContaining({ code: 'invalid_volume', message: expect.stringMatching(/voxels/) });
    expect(() => prepare([far], { ...NONE, spacing: [0.3, 0.3, 0.3] })).toThrow(refusal);
    const thick = { shape: [10, 10, 10] as Vec3, affine: diagonal([2, 2, 2]), data: new Float32Array(1000) };
    expect(() => prepare([thick], { ...NONE, spacing: [1, 1, 1] }, { maxVoxels: 19 ** 3 - 1 })).toThrow(refusal);
    expect(prepare([thick], { ...NONE, spacing: [1, 1, 1] }, { maxVoxels: 19 ** 3 }).shape).toEqual([19, 19, 19]);
  });

  it('resamples every channel on the first one’s grid', () => {
    const both = prepare([line([0, 10], 2), line([5, 9], 2)], { ...NONE, spacing: [1, 1, 1] });
    expect(both.channels).toBe(2);
    expect([...both.data]).toEqual([0, 5, 10, 5, 7, 9]);
  });

  it('leaves the volumes it is given alone', () => {
    const volume = line([1, 2, 3], 1);
    prepare([volume], { ...NONE, intensity: { kind: 'zscore', mask: 'all' } });
    expect([...volume.data]).toEqual([1, 2, 3]);
  });
});

describe('intensity', () => {
  const values = [-4, 0, 2, 4, 0, 6];
  it.each<['nonzero' | 'positive' | 'all', number[]]>([
    // MONAI's NormalizeIntensity over the voxels in the mask: their mean and population deviation.
    ['nonzero', [-4, 2, 4, 6]],
    ['positive', [2, 4, 6]],
    ['all', values],
  ])('z-scores over the mask %s, 0 outside', (mask, inside) => {
    const mean = inside.reduce((sum, x) => sum + x, 0) / inside.length;
    const deviation = Math.sqrt(inside.reduce((sum, x) => sum + (x - mean) ** 2, 0) / inside.length);
    const expected = values.map((x) => (inside.includes(x) ? (x - mean) / deviation : 0));
    const got = prepared(line(values, 1), { intensity: { kind: 'zscore', mask } });
    for (const [n, value] of expected.entries()) expect(got[n]).toBeCloseTo(value, 6);
  });

  it('counts a deviation of 0 as 1', () => {
    expect(prepared(line([0, 0.1, 0.1, 0.1], 1), { intensity: { kind: 'zscore', mask: 'nonzero' } })).toEqual([
      0, 0, 0, 0,
    ]);
    expect(prepared(line([0, 0], 1), { intensity: { kind: 'zscore', mask: 'nonzero' } })).toEqual([0, 0]);
  });

  it('keeps each channel to itself', () => {
    const { data } = prepare([line([1, 3], 1), line([10, 50], 1)], {
      ...NONE,
      intensity: { kind: 'zscore', mask: 'all' },
    });
    expect([...data]).toEqual([-1, 1, -1, 1]);
  });

  it('maps a range linearly, cut off only where asked for', () => {
    const range = { kind: 'range', from: [-100, 100], to: [0, 1] } as {
      kind: 'range';
      from: [number, number];
      to: [number, number];
    };
    const volume = line([-200, -100, 0, 50, 100, 300], 1);
    expect(prepared(volume, { intensity: { ...range, clip: true } })).toEqual([0, 0, 0.5, 0.75, 1, 1]);
    expect(prepared(volume, { intensity: { ...range, clip: false } })).toEqual([-0.5, 0, 0.5, 0.75, 1, 2]);
    expect(prepared(volume, { intensity: { ...range, to: [1, -1], clip: true } })).toEqual([1, 1, 0, -0.5, -1, -1]);
  });

  it('refuses what the map takes beyond float32', () => {
    const volume = line([3e38, 1], 1);
    const intensity = {
      kind: 'range',
      from: [0, 1e-3] as [number, number],
      to: [0, 1] as [number, number],
      clip: false,
    } as const;
    expect(() => prepared(volume, { intensity })).toThrow(expect.objectContaining({ code: 'invalid_volume' }));
  });
});

describe('channels', () => {
  const first: Volume = { shape: [20, 20, 20], affine: diagonal([1, 1, 1]), data: new Float32Array(8000) };
  const names = ['T1', 'FLAIR'];

  it('lie on one grid within 0.01 mm at every corner', () => {
    checkSameGrid([first, { ...first, affine: diagonal([1.0004, 1, 1], [0.001, 0, 0]) }], names);
  });

  it.each([
    ['another shape', { shape: [20, 20, 10] as Vec3, data: new Float32Array(4000) }, /20 x 20 x 10/],
    ['another place', { affine: diagonal([1, 1, 1], [0, 0.02, 0]) }, /0\.02.* mm apart/],
    ['another voxel size that shows at the far corner alone', { affine: diagonal([1.0006, 1, 1]) }, /0\.0114 mm/],
    ['left and right swapped', { affine: diagonal([-1, 1, 1], [19, 0, 0]) }, /19\.0 mm/],
  ])('are refused with %s', (_, change, message) => {
    const refusal = expect.objectContaining({ code: 'grid_mismatch', message: expect.stringMatching(message) });
    expect(() => checkSameGrid([first, { ...first, ...change }], names)).toThrow(refusal);
    expect(() => checkSameGrid([first, { ...first, ...change }], names)).toThrow(/T1 and FLAIR/);
    expect(() => prepare([first, { ...first, ...change }], NONE)).toThrow(refusal);
  });
});
