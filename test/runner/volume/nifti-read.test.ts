import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { byteVoxels, COUNTING, floatVoxels, type RawNifti, rawNifti, voxels } from './raw-nifti.ts';

const DATATYPES: readonly [
  string,
  number,
  number,
  (v: DataView, o: number, x: number, le: boolean) => void,
  number[],
][] = [
  ['uint8', 2, 1, (v, o, x) => v.setUint8(o, x), [0, 7, 255]],
  ['int8', 256, 1, (v, o, x) => v.setInt8(o, x), [-128, 7, 127]],
  ['int16', 4, 2, (v, o, x, le) => v.setInt16(o, x, le), [-32768, 258, 32767]],
  ['uint16', 512, 2, (v, o, x, le) => v.setUint16(o, x, le), [0, 258, 65535]],
  ['int32', 8, 4, (v, o, x, le) => v.setInt32(o, x, le), [-(2 ** 31), 66051, 2 ** 30]],
  ['uint32', 768, 4, (v, o, x, le) => v.setUint32(o, x, le), [0, 66051, 2 ** 31]],
  ['int64', 1024, 8, (v, o, x, le) => v.setBigInt64(o, BigInt(x), le), [-(2 ** 60), -1, 2 ** 40]],
  ['uint64', 1280, 8, (v, o, x, le) => v.setBigUint64(o, BigInt(x), le), [0, 2 ** 40, 2 ** 63]],
  ['float32', 16, 4, (v, o, x, le) => v.setFloat32(o, x, le), [-1.5, 0.25, 3e38]],
  ['float64', 64, 8, (v, o, x, le) => v.setFloat64(o, x, le), [-1.5, 0.25, 1e38]],
];

const LAYOUTS: readonly Pick<RawNifti, 'version' | 'littleEndian'>[] = [
  { version: 1, littleEndian: true },
  { version: 1, littleEndian: false },
  { version: 2, littleEndian: true },
  { version: 2, littleEndian: false },
];

async function voxelsOf(file: Uint8Array): Promise<number[]> {
  return Array.from((await readNifti(file)).volume.data);
}

describe('reading voxels', () => {
  for (const [name, code, bytes, write, values] of DATATYPES) {
    it.each(LAYOUTS)(`reads ${name} of NIfTI-$version, little-endian $littleEndian`, async (layout) => {
      const file = rawNifti({
        ...layout,
        dim: [3, 3, 1, 1],
        datatype: code,
        voxels: voxels(values, bytes, write),
      });
      expect(await voxelsOf(file)).toEqual(values.map(Math.fround));
    });
  }

  it('turns the order of the file (i fastest) into C order (k fastest)', async () => {
    const { volume } = await readNifti(rawNifti({ voxels: COUNTING }));
    expect(volume.shape).toEqual([2, 3, 4]);
    for (const [i, j, k] of [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [1, 2, 3],
    ] as const) {
      expect(volume.data[(i * 3 + j) * 4 + k]).toBe(i + 2 * j + 6 * k);
    }
  });

  it.each([
    ['many slices at once', [300, 301, 100]],
    ['a part of a slice at once', [2100, 2101, 2]],
  ] as const)('reads %s and puts each voxel in its place', async (_, [ni, nj, nk]) => {
    const values = Int16Array.from({ length: ni * nj * nk }, (_value, n) => n % 32_749);
    const write = (view: DataView) => new Int16Array(view.buffer, view.byteOffset, values.length).set(values);
    const raw = rawNifti({ dim: [3, ni, nj, nk], datatype: 4, voxels: { bytes: values.length * 2, write } });
    const { data } = (await readNifti(gzipSync(raw, { level: 1 }))).volume;
    let wrong = 0;
    for (let at = 0; at < data.length; at++) {
      const [i, j, k] = [Math.floor(at / (nj * nk)), Math.floor(at / nk) % nj, at % nk];
      if (data[at] !== values[(k * nj + j) * ni + i]) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('keeps whole numbers of 8 or 16 bits as they are, and makes float32 of what is scaled or larger', async () => {
    const kinds = [];
    for (const [, code, bytes, write, values] of DATATYPES) {
      const raw = { dim: [3, 3, 1, 1], datatype: code, voxels: voxels(values, bytes, write) };
      const [plain, scaled] = [await readNifti(rawNifti(raw)), await readNifti(rawNifti({ ...raw, slope: 0.5 }))];
      kinds.push([plain, scaled].map(({ volume }) => volume.data.constructor.name.replace('Array', '')));
    }
    expect(kinds.map(([plain]) => plain)).toEqual([
      'Uint8',
      'Int8',
      'Int16',
      'Uint16',
      ...Array<string>(6).fill('Float32'),
    ]);
    expect(new Set(kinds.map(([, scaled]) => scaled))).toEqual(new Set(['Float32']));
  });

  it.each([
    ['slope and intercept', 2.5, -3, [-3, -0.5, 2]],
    ['a negative slope', -2, 0.5, [0.5, -1.5, -3.5]],
    ['slope 0: no scaling, no intercept', 0, 9, [0, 1, 2]],
    ['slope NaN: no scaling, no intercept', Number.NaN, 9, [0, 1, 2]],
    ['slope NaN with an infinite intercept', Number.NaN, Number.POSITIVE_INFINITY, [0, 1, 2]],
  ])('scales by %s', async (_, slope, intercept, expected) => {
    const file = rawNifti({ dim: [3, 3, 1, 1], slope, intercept, voxels: byteVoxels([0, 1, 2]) });
    expect(await voxelsOf(file)).toEqual(expected);
  });

  it('scales in double precision and rounds once', async () => {
    const slope = Math.fround(0.1);
    const file = rawNifti({
      dim: [3, 1, 1, 1],
      datatype: 8,
      slope,
      intercept: -1e6,
      voxels: {
        bytes: 4,
        write: (view, le) => view.setInt32(0, 16_777_217, le),
      },
    });
    expect(await voxelsOf(file)).toEqual([Math.fround(16_777_217 * slope - 1e6)]);
  });

  it.each([
    [4, [4, 2, 3, 4, 1]],
    [7, [7, 2, 3, 4, 1, 1, 1, 1]],
  ])('counts %i dimensions, of which the last are 1, as 3', async (_, dim) => {
    const { volume, header } = await readNifti(rawNifti({ dim, voxels: COUNTING }));
    expect(volume.shape).toEqual([2, 3, 4]);
    expect(header.shape).toEqual([2, 3, 4]);
  });

  it.each(LAYOUTS)('skips extensions of NIfTI-$version, little-endian $littleEndian', async (layout) => {
    const file = rawNifti({ ...layout, extension: new Uint8Array(48).fill(200), voxels: COUNTING });
    expect(await voxelsOf(file)).toEqual(await voxelsOf(rawNifti({ voxels: COUNTING })));
  });

  it('reads gzip with several members and zero padding', async () => {
    const file = rawNifti({ voxels: COUNTING });
    const packed = Buffer.concat([gzipSync(file.subarray(0, 100)), gzipSync(file.subarray(100)), Buffer.alloc(512)]);
    expect(await voxelsOf(packed)).toEqual(await voxelsOf(file));
  });

  it('ignores a little data after the voxels', async () => {
    const file = rawNifti({ voxels: byteVoxels(Array.from({ length: 24 + 500 }, (_, n) => n % 251)) });
    expect(await voxelsOf(file)).toEqual(await voxelsOf(rawNifti({ voxels: COUNTING })));
    expect(await voxelsOf(gzipSync(file))).toEqual(await voxelsOf(rawNifti({ voxels: COUNTING })));
  });

  it('reads a view into a larger buffer', async () => {
    const file = rawNifti({ dim: [3, 2, 1, 1], datatype: 16, voxels: floatVoxels([1.5, -2]) });
    const larger = new Uint8Array(file.length + 3);
    larger.set(file, 3);
    expect(await voxelsOf(larger.subarray(3))).toEqual([1.5, -2]);
  });
});
