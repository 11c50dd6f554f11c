import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeLabelMap, encodeProbabilities } from '../../../gpu-runner/volume/answer.ts';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { encodeNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import { describeShared } from '../../support/shared.ts';
import { expectedRuns, geometryCases, parityFile } from './golden.ts';
import { COUNTING, type RawNifti, rawNifti } from './raw-nifti.ts';

const EXTENSION = {
  labels: [
    { value: 0, name: 'background' },
    { value: 1, name: 'Läsion' },
  ],
  adapter: null,
  base: 'sha256:00',
};
const SECRET = 'DOE^JANE 1970';

/** Byte ranges that an answer repeats: dim[1..3], pixdim[0..3], xyzt_units, both codes, quaternion, place and srow. */
const REPEATED = {
  1: [
    [42, 48],
    [76, 92],
    [123, 124],
    [252, 328],
  ],
  2: [
    [24, 48],
    [104, 136],
    [500, 504],
    [344, 496],
  ],
} as const;

const INPUTS: readonly (RawNifti & { version: 1 | 2; littleEndian: boolean })[] = [
  { version: 1, littleEndian: true },
  { version: 1, littleEndian: false },
  { version: 2, littleEndian: true },
  { version: 2, littleEndian: false },
].map((layout) => ({
  version: layout.version === 1 ? 1 : 2,
  littleEndian: layout.littleEndian,
  dim: [4, 2, 3, 4, 1],
  pixdim: [-1, 0.7, -1.1, 0, 5, 6, 7, 8],
  units: 10,
  slope: 3,
  intercept: -7,
  qformCode: 2,
  sformCode: 4,
  quatern: [0.1, -0.2, 0.3],
  qoffset: [4, 5, 6],
  srow: [0.7, 0.001, 0, -30.1, 0, -1.1, 0.2, 20.2, 0.01, 0, 1, 10.3],
  text: SECRET,
  extension: Uint8Array.from({ length: 64 }, (_, n) => SECRET.charCodeAt(n % SECRET.length)),
  voxels: COUNTING,
}));

async function labelAnswer(input: Uint8Array, labels: Uint8Array | Uint16Array): Promise<Buffer> {
  return gunzipSync(await encodeLabelMap((await readNifti(input)).header, labels, EXTENSION));
}

describe('the header of an answer', () => {
  it.each(INPUTS)('repeats the grid of NIfTI-$version, little-endian $littleEndian, bit for bit', async (raw) => {
    const input = rawNifti(raw);
    const answer = await labelAnswer(input, new Uint8Array(24));
    for (const [begin, end] of REPEATED[raw.version]) {
      expect([...answer.subarray(begin, end)]).toEqual([...input.subarray(begin, end)]);
    }
    expect((await readNifti(answer)).volume.affine).toEqual((await readNifti(input)).volume.affine);
  });

  it.each(INPUTS)('repeats nothing else of NIfTI-$version, little-endian $littleEndian', async (raw) => {
    const answer = await labelAnswer(rawNifti(raw), new Uint8Array(24));
    expect(answer.toString('latin1')).not.toContain('DOE');
    const other = await labelAnswer(
      rawNifti({ ...raw, text: 'X', extension: new Uint8Array(0), slope: 1, intercept: 0, dim: [3, 2, 3, 4] }),
      new Uint8Array(24),
    );
    expect(answer.equals(other)).toBe(true);
  });

  it('keeps bits that no reader would: a NaN with a payload in pixdim[0]', async () => {
    const input = rawNifti({ voxels: COUNTING });
    input.set([0x01, 0x00, 0xa0, 0x7f], 76);
    expect([...(await labelAnswer(input, new Uint8Array(24))).subarray(76, 80)]).toEqual([0x01, 0x00, 0xa0, 0x7f]);
  });

  it.each(INPUTS)('says what it holds, in NIfTI-$version, little-endian $littleEndian', async (raw) => {
    const input = await readNifti(rawNifti(raw));
    const labels = Uint8Array.from({ length: 24 }, (_, n) => n);
    const answer = gunzipSync(await encodeLabelMap(input.header, labels, EXTENSION));
    const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
    const le = raw.littleEndian;
    const v1 = raw.version === 1;
    const real = (o: number) => (v1 ? view.getFloat32(o, le) : view.getFloat64(o, le));
    const side = (n: number) => (v1 ? view.getInt16(40 + 2 * n, le) : Number(view.getBigInt64(16 + 8 * n, le)));
    const offset = v1 ? view.getFloat32(108, le) : Number(view.getBigInt64(168, le));
    expect(view.getInt32(0, le)).toBe(v1 ? 348 : 540);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(side)).toEqual([3, 2, 3, 4, 1, 1, 1, 1]);
    expect(v1 ? view.getInt16(68, le) : view.getInt32(504, le)).toBe(1002);
    expect(view.getInt16(v1 ? 70 : 12, le)).toBe(2);
    expect(view.getInt16(v1 ? 72 : 14, le)).toBe(8);
    expect([real(v1 ? 112 : 176), real(v1 ? 116 : 184)]).toEqual([1, 0]);
    expect(answer.subarray(v1 ? 344 : 4).toString('latin1', 0, v1 ? 4 : 8)).toBe(v1 ? 'n+1\0' : 'n+2\0\r\n\x1a\n');

    const flag = v1 ? 348 : 540;
    expect([...answer.subarray(flag, flag + 4)]).toEqual([1, 0, 0, 0]);
    const size = view.getInt32(flag + 4, le);
    expect(size % 16).toBe(0);
    expect(flag + 4 + size).toBe(offset);
    expect(view.getInt32(flag + 8, le)).toBe(6);
    const text = answer
      .subarray(flag + 12, offset)
      .toString('utf8')
      .replace(/\0+$/, '');
    expect(JSON.parse(text)).toEqual(EXTENSION);

    expect(answer.length).toBe(offset + 24);
    expect((await readNifti(answer)).volume.data).toEqual(labels);
  });

  it.each(INPUTS)('holds labels beyond 255 as uint16 in NIfTI-$version, little-endian $littleEndian', async (raw) => {
    const labels = Uint16Array.from({ length: 24 }, (_, n) => n * 1000);
    const answer = await labelAnswer(rawNifti(raw), labels);
    const view = new DataView(answer.buffer, answer.byteOffset);
    expect(view.getInt16(raw.version === 1 ? 70 : 12, raw.littleEndian)).toBe(512);
    expect((await readNifti(answer)).volume.data).toEqual(labels);
  });

  it.each(INPUTS)(
    'holds probabilities with the channel as fourth dimension in NIfTI-$version, little-endian $littleEndian',
    async (raw) => {
      const { header } = await readNifti(rawNifti(raw));
      const probabilities = Float32Array.from({ length: 48 }, (_, n) => n / 48);
      const answer = gunzipSync(await encodeProbabilities(header, probabilities, 2, EXTENSION));
      const view = new DataView(answer.buffer, answer.byteOffset);
      const le = raw.littleEndian;
      const v1 = raw.version === 1;
      const sides = [0, 1, 2, 3, 4, 5].map((n) =>
        v1 ? view.getInt16(40 + 2 * n, le) : Number(view.getBigInt64(16 + 8 * n, le)),
      );
      expect(sides).toEqual([4, 2, 3, 4, 2, 1]);
      expect(v1 ? view.getInt16(68, le) : view.getInt32(504, le)).toBe(0);
      const begin = answer.length - 48 * 4;
      for (const [i, j, k, c] of [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 2, 1, 0],
        [1, 2, 3, 1],
      ] as const) {
        const place = ((c * 4 + k) * 3 + j) * 2 + i;
        expect(view.getFloat32(begin + place * 4, le)).toBe(probabilities[((i * 3 + j) * 4 + k) * 2 + c]);
      }
    },
  );

  it('is the same file each time: gzip time 0', async () => {
    const { header } = await readNifti(rawNifti({ voxels: COUNTING }));
    const answer = await encodeLabelMap(header, new Uint8Array(24), EXTENSION);
    expect([...answer.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
    expect(await encodeLabelMap(header, new Uint8Array(24), EXTENSION)).toEqual(answer);
  });

  it('refuses labels that do not fill the grid', async () => {
    const { header } = await readNifti(rawNifti({ voxels: COUNTING }));
    expect(() => encodeNifti({ header, datatype: 'uint8', data: new Uint8Array(23) })).toThrow(RangeError);
  });
});

describeShared('label maps that were written elsewhere', () => {
  for (const folder of ['p1-legacy-f12', 'p2-fixed-f12-2ch']) {
    const { inputs, runs } = expectedRuns(folder);
    it.each(runs)(`${folder}: $labels.file is repeated byte for byte`, async ({ labels }) => {
      const input = await readNifti(parityFile(folder, inputs[0]?.file ?? ''));
      const golden = await readNifti(parityFile(folder, labels.file));
      const data = Uint8Array.from(golden.volume.data);
      const ours = encodeNifti({ header: input.header, datatype: 'uint8', data, intent: 1002 });
      expect(gunzipSync(parityFile(folder, labels.file)).equals(ours)).toBe(true);
    });
  }

  it.each(geometryCases())('an answer on the grid of $name lies where its input lies', async ({ file, arrays }) => {
    const input = await readNifti(parityFile('geometry', file));
    const answer = await readNifti(
      await encodeLabelMap(input.header, new Uint8Array(input.volume.data.length), EXTENSION),
    );
    expect(answer.volume.shape).toEqual(arrays.loaded.shape);
    expect(answer.volume.affine).toEqual(input.volume.affine);
  });
});
