import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../../gpu-runner/volume/read-image.ts';

const SHAPE = 'dimension: 3\nsizes: 2 3 4';
const DIRECTIONS = 'space directions: (0.5,0,0) (0,2,0.1) (0,0,3)\nspace origin: (1,2,3)';
const SHORTS = Buffer.from(Int16Array.from({ length: 24 }, (_, n) => n - 7).buffer);

function nrrd(
  lines: string,
  voxels: Uint8Array = SHORTS,
  defaults = 'type: short\nendian: little\nencoding: raw',
): Buffer {
  return Buffer.concat([Buffer.from(`NRRD0005\n# DOE^JANE\n${defaults}\n${lines}\nname:=DOE^JANE\n\n`), voxels]);
}

/** Of the affine, what is not 0 0 0 1. */
async function affineOf(file: Uint8Array): Promise<number[]> {
  return [...(await readImage(file)).volume.affine].slice(0, 12).map((value) => value + 0);
}

/** 0 to 23 in an array's own type. */
const counting = (array: { from: (of: number[]) => { buffer: ArrayBufferLike } }) =>
  Buffer.from(array.from(Array.from({ length: 24 }, (_, n) => n)).buffer);

describe('where the voxels of a NRRD file lie', () => {
  const ras = [0.5, 0, 0, 1, 0, 2, 0, 2, 0, 0.1, 3, 3];
  const las = [-0.5, 0, 0, -1, 0, 2, 0, 2, 0, 0.1, 3, 3].map((value) => value + 0);
  const lps = [-0.5, 0, 0, -1, 0, -2, 0, -2, 0, 0.1, 3, 3].map((value) => value + 0);
  // What SimpleITK 2.5 reads from the same headers, its LPS turned into RAS.
  it.each([
    ['space: right-anterior-superior', ras],
    ['space: RAS', ras],
    ['space: left-anterior-superior', las],
    ['space: left-posterior-superior', lps],
    ['space: LPS\nspace units: "mm" "mm" "mm"', lps],
    ['space: scanner-xyz', lps],
    ['space: 3D-right-handed', lps],
    ['space dimension: 3', lps],
  ])('by %s', async (space, expected) => {
    expect(await affineOf(nrrd(`${SHAPE}\n${space}\n${DIRECTIONS}`))).toEqual(expected);
  });

  it('by spacings alone', async () => {
    expect(await affineOf(nrrd(`${SHAPE}\nspacings: 0.5 2 3`))).toEqual([-0.5, 0, 0, 0, 0, -2, 0, 0, 0, 0, 3, 0]);
  });

  it.each([
    ['first', '1 2 3 4', 'none (1,0,0) (0,1,0) (0,0,1)'],
    ['last', '2 3 4 1', '(1,0,0) (0,1,0) (0,0,1) none'],
  ])('with a list of one volume as its %s axis', async (_, sizes, directions) => {
    const lines = `dimension: 4\nsizes: ${sizes}\nspace: RAS\nspace directions: ${directions}`;
    const { volume } = await readImage(nrrd(lines));
    expect(volume.shape).toEqual([2, 3, 4]);
    expect(volume.data[(1 * 3 + 2) * 4 + 3]).toBe(16);
  });
});

describe('the voxels of a NRRD file', () => {
  const space = `${SHAPE}\nspace: RAS\n${DIRECTIONS}`;
  const bigs = BigInt64Array.from({ length: 24 }, (_, n) => BigInt(n));
  // The first axis is the fastest: voxel (i, j, k) is number i + 2 j + 6 k.
  const expected = Float32Array.from(
    { length: 24 },
    (_, n) => (n >= 12 ? 1 : 0) + 2 * (Math.floor(n / 4) % 3) + 6 * (n % 4),
  );

  it.each([
    ['int8', 'signed char', counting(Int8Array)],
    ['uint8', 'unsigned char', counting(Uint8Array)],
    ['int16', 'short', counting(Int16Array)],
    ['uint16', 'unsigned short int', counting(Uint16Array)],
    ['int32', 'int', counting(Int32Array)],
    ['uint32', 'uint32', counting(Uint32Array)],
    ['int64', 'long long', Buffer.from(bigs.buffer)],
    ['uint64', 'ulonglong', Buffer.from(bigs.buffer)],
    ['float32', 'float', counting(Float32Array)],
    ['float64', 'double', counting(Float64Array)],
  ])('of %s are read in both byte orders, raw and gzipped', async (_, type, little) => {
    const size = little.length / 24;
    const big = Buffer.concat(
      Array.from({ length: 24 }, (__, n) => little.subarray(n * size, (n + 1) * size).toReversed()),
    );
    for (const [endian, bytes] of [
      ['little', little],
      ['big', big],
    ] as const) {
      for (const [encoding, content] of [
        ['raw', bytes],
        ['gzip', gzipSync(bytes)],
        ['gz', gzipSync(bytes)],
      ] as const) {
        const file = nrrd(space, content, `type: ${type}\nendian: ${endian}\nencoding: ${encoding}`);
        expect(Float32Array.from((await readImage(file)).volume.data)).toEqual(expected);
      }
    }
  });

  it('that begin as gzip does are raw where the header says so', async () => {
    const bytes = Buffer.from([0x1f, 0x8b, ...Array.from({ length: 22 }, () => 3)]);
    const { data } = (await readImage(nrrd(space, bytes, 'type: uint8\nencoding: raw'))).volume;
    expect([data[0], data[12], data[1]]).toEqual([0x1f, 0x8b, 3]);
  });

  it('are read from a header whose lines end as in Windows', async () => {
    const file = Buffer.from(
      `NRRD0004\n${space}\ntype: short\nendian: little\nencoding: raw\n\n`.replaceAll('\n', '\r\n'),
    );
    expect((await readImage(Buffer.concat([file, SHORTS]))).volume.data[0]).toBe(-7);
  });
});

describe('a NRRD file that is no readable volume', () => {
  const good = `${SHAPE}\nspace: RAS\n${DIRECTIONS}`;
  const raw = 'endian: little\nencoding: raw';
  it.each([
    ['a detached header', nrrd(`${good}\ndata file: voxels.raw`), /detached/],
    ['bzip2', nrrd(good, SHORTS, 'type: short\nendian: little\nencoding: bzip2'), /neither raw nor gzip/],
    ['text', nrrd(good, SHORTS, 'type: short\nencoding: ascii'), /neither raw nor gzip/],
    ['blocks', nrrd(good, SHORTS, `type: block\n${raw}`), /type/],
    ['no type', nrrd(good, SHORTS, raw), /has no type/],
    ['no byte order', nrrd(good, SHORTS, 'type: short\nencoding: raw'), /has no endian/],
    ['a field twice', nrrd(`${good}\nsizes: 2 3 4`), /sizes twice/],
    ['sizes of another dimension', nrrd(good.replace('2 3 4', '2 3')), /one whole number for each dimension/],
    ['a side of 0', nrrd(good.replace('2 3 4', '2 0 4')), /whole number/],
    ['two dimensions', nrrd('dimension: 2\nsizes: 4 6\nspacings: 1 1'), /2 dimensions/],
    [
      'colours',
      nrrd('dimension: 4\nsizes: 3 2 2 2\nspace: RAS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)'),
      /one volume/,
    ],
    ['four axes of space', nrrd('dimension: 4\nsizes: 1 2 3 4\nspacings: 1 1 1 1'), /4 axes of space/],
    ['singular directions', nrrd(good.replace('(0,0,3)', '(0,2,0.1)')), /singular/],
    ['directions of two numbers', nrrd(good.replace('(0,0,3)', '(0,3)')), /not finite/],
    ['a space with time', nrrd(good.replace('RAS', 'RAST')), /without time/],
    ['centimetres', nrrd(`${good}\nspace units: "cm" "cm" "cm"`), /not millimetres/],
    ['a space without directions', nrrd(`${SHAPE}\nspace: RAS\nspacings: 1 1 1`), /no space directions/],
    ['skipped bytes', nrrd(`${good}\nbyte skip: 4`), /skips/],
    ['a header without end', Buffer.from(`NRRD0004\n${good}\n`), /no end/],
    ['another version', Buffer.from(`NRRD0009\n${good}\n\n`), /version/],
    ['missing voxels', nrrd(good, SHORTS.subarray(2)), /promises 48 bytes, the file has 46/],
    [
      'missing voxels, gzipped',
      nrrd(good, gzipSync(SHORTS.subarray(2)), 'type: short\nendian: little\nencoding: gzip'),
      /after 23 of 24/,
    ],
    ['a promise of 2^42 voxels', nrrd(good.replace('2 3 4', '16384 16384 16384')), /promises 16384/],
    ['a side that NIfTI cannot count', nrrd(good.replace('2 3 4', '40000 2 2')), /32767 along a side/],
    ['NaN', nrrd(good, Buffer.from(new Float32Array(24).fill(Number.NaN).buffer), `type: float\n${raw}`), /NaN/],
  ])('%s', async (_, file, message) => {
    const refused = expect(readImage(file)).rejects;
    await refused.toMatchObject({ code: 'invalid_volume', message: expect.stringMatching(message) });
    await refused.toMatchObject({ message: expect.not.stringContaining('DOE') });
  });
});
