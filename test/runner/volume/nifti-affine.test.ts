import { describe, expect, it } from 'vitest';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { readHeader } from '../../../workers/console/nifti/header.ts';
import { byteVoxels, type RawNifti, rawNifti } from './raw-nifti.ts';

const GRID: RawNifti = {
  dim: [3, 4, 5, 6],
  pixdim: [1, 2, 1.5, 3],
  qformCode: 0,
  sformCode: 0,
  qoffset: [10, -20, 30],
  srow: Array<number>(12).fill(0),
  voxels: byteVoxels(Array<number>(120).fill(0)),
};
const SFORM = [-2, 0, 0, 40, 0, 0, -3, 50, 0, 1.5, 0, -60];
const UNIT = [1, 0, 0, 7, 0, 1, 0, 8, 0, 0, 1, 9];

// Affines that MONAI 1.6's LoadImage (nibabel 5.4) gave for these headers.
const CASES: readonly [string, RawNifti, readonly number[]][] = [
  [
    'the sform, where it has a code',
    { sformCode: 1, srow: SFORM },
    [-2.0, 0.0, 0.0, 40.0, 0.0, 0.0, -3.0, 50.0, 0.0, 1.5, 0.0, -60.0],
  ],
  [
    'the sform, where both have one and differ',
    { sformCode: 4, qformCode: 1, srow: [0, 0, 3, 11, 2, 0, 0, -12, 0, 1.5, 0, 13], quatern: [0.25, 0.5, -0.125] },
    [0.0, 0.0, 3.0, 11.0, 2.0, 0.0, 0.0, -12.0, 0.0, 1.5, 0.0, 13.0],
  ],
  [
    'the qform, where it alone has one',
    { qformCode: 1, quatern: [0.25, 0.5, -0.125], srow: SFORM },
    [
      0.9375, 0.6823799308266563, 2.27153944661325, 10.0, 0.09016009223112496, 1.265625, -1.604519723306625, -20.0,
      -1.7643596310755, 0.42725986165331253, 1.125, 30.0,
    ],
  ],
  [
    'the qform with its third axis turned around (qfac -1)',
    { qformCode: 2, quatern: [0.25, 0.5, -0.125], pixdim: [-1, 2, 1.5, 3] },
    [
      0.9375, 0.6823799308266563, -2.27153944661325, 10.0, 0.09016009223112496, 1.265625, 1.604519723306625, -20.0,
      -1.7643596310755, 0.42725986165331253, -1.125, 30.0,
    ],
  ],
  [
    'a half turn, whose quaternion is 1 but for rounding',
    { qformCode: 1, quatern: [0.6, 0.8, 0] },
    [
      -0.5599999542236338, 1.4400000100135797, 0.0, 10.0, 1.9200000133514397, 0.4199999656677253, 0.0, -20.0, 0.0, 0.0,
      -3.0, 30.0,
    ],
  ],
  ['voxel sizes alone, x growing to the left', {}, [-2.0, 0.0, 0.0, 3.0, 0.0, 1.5, 0.0, -3.0, 0.0, 0.0, 3.0, -7.5]],
  [
    'a sform code beyond nifti1.h as none',
    { sformCode: 9, qformCode: 1, srow: SFORM, quatern: [0, 0, 0.5] },
    [1.0, -1.299038105676658, 0.0, 10.0, 1.7320508075688772, 0.75, 0.0, -20.0, 0.0, 0.0, 3.0, 30.0],
  ],
  [
    'a voxel size of 0 as 1, a negative one without its sign',
    { qformCode: 1, pixdim: [0, 0, -1.5, 3], quatern: [0, 0.5, 0] },
    [0.5, 0.0, 2.598076211353316, 10.0, 0.0, 1.5, 0.0, -20.0, -0.8660254037844386, 0.0, 1.5, 30.0],
  ],
  [
    'the qform, where pixdim agrees with it and not with the sform',
    { sformCode: 1, srow: UNIT, quatern: [0.1, 0.2, 0.3] },
    [
      1.4800000190734863, -0.7746257185935974, 1.2928342819213867, 10.0, 1.1928342580795288, 1.1999999284744263,
      -0.19641709327697754, -20.0, -0.6218894720077515, 0.4582085609436035, 2.700000047683716, 30.0,
    ],
  ],
  [
    'the same in NIfTI-2, without rounding',
    { version: 2, sformCode: 1, srow: UNIT, quatern: [0.1, 0.2, 0.3] },
    [
      1.48, -0.7746256645946134, 1.2928342194594846, 10.0, 1.1928342194594843, 1.2, -0.19641710972974225, -20.0,
      -0.6218894796396564, 0.4582085548648711, 2.7, 30.0,
    ],
  ],
  [
    'the sform, where pixdim disagrees by less than 1e-5',
    { sformCode: 1, srow: [2.00001, 0, 0, 7, 0, 1.5, 0, 8, 0, 0, 3, 9], quatern: [0.1, 0.2, 0.3] },
    [2.0000100135803223, 0.0, 0.0, 7.0, 0.0, 1.5, 0.0, 8.0, 0.0, 0.0, 3.0, 9.0],
  ],
  [
    'the sform, where pixdim disagrees by more',
    { sformCode: 1, srow: [2.00005, 0, 0, 7, 0, 1.5, 0, 8, 0, 0, 3, 9], quatern: [0.1, 0.2, 0.3] },
    [
      1.4800000190734863, -0.7746257185935974, 1.2928342819213867, 10.0, 1.1928342580795288, 1.1999999284744263,
      -0.19641709327697754, -20.0, -0.6218894720077515, 0.4582085609436035, 2.700000047683716, 30.0,
    ],
  ],
];

describe('the affine of a file', () => {
  it.each(CASES)('is %s', async (_, raw, expected) => {
    const file = rawNifti({ ...GRID, ...raw });
    const { volume } = await readNifti(file);
    for (const [n, value] of expected.entries()) expect(volume.affine[n]).toBeCloseTo(value, 12);
    // The console reads the service's answers by the same rule.
    for (const [n, value] of expected.entries()) expect(readHeader(file).affine.flat()[n]).toBeCloseTo(value, 6);
    expect(Array.from(volume.affine.subarray(12))).toEqual([0, 0, 0, 1]);
  });

  it('is the sform, where pixdim disagrees but the quaternion is none', async () => {
    const raw = { ...GRID, sformCode: 1, srow: UNIT, quatern: [1, 1, 1] };
    const { volume } = await readNifti(rawNifti(raw));
    expect(Array.from(volume.affine.subarray(0, 12))).toEqual(UNIT);
    expect(readHeader(rawNifti(raw)).affine.flat()).toEqual(UNIT);
  });
});
