import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { byteVoxels, COUNTING, floatVoxels, type RawNifti, rawNifti } from './raw-nifti.ts';

const GOOD = rawNifti({ voxels: COUNTING });
const GOOD_GZ = gzipSync(GOOD);
const ZEROS = gzipSync(new Uint8Array(64 * 2 ** 20));

function changed(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[offset < 0 ? copy.length + offset : offset] = value;
  return copy;
}

function header(raw: RawNifti): Uint8Array {
  return rawNifti({ voxels: COUNTING, ...raw });
}

const FILES: readonly [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(0), /empty/],
  ['one byte', Uint8Array.of(7), /ends inside its header/],
  ['half a header', GOOD.subarray(0, 200), /ends inside its header/],
  ['half a NIfTI-2 header', header({ version: 2 }).subarray(0, 400), /ends inside its header/],
  ['text', new TextEncoder().encode('no volume at all. '.repeat(100)), /sizeof_hdr/],
  ['sizeof_hdr 349', header({ sizeofHdr: 349 }), /sizeof_hdr is 349/],
  ['a wrong magic string', header({ magic: 'abc\0' }), /magic/],
  ['an Analyze header', header({ magic: '\0\0\0\0' }), /magic/],
  ['a NIfTI-2 magic string damaged by a text transfer', header({ version: 2, magic: 'n+2\0\n\n\x1a\n' }), /magic/],
  ['one file of a pair', header({ magic: 'ni1\0' }), /pair/],
  ['one NIfTI-2 file of a pair', header({ version: 2, magic: 'ni2\0\r\n\x1a\n' }), /pair/],
  ['dim[0] 0', header({ dim: [0, 2, 3, 4] }), /dim\[0\] is 0/],
  ['dim[0] 8', header({ dim: [8, 2, 3, 4] }), /dim\[0\] is 8/],
  ['a plane', header({ dim: [2, 4, 6, 1] }), /2 dimensions/],
  ['a time series', header({ dim: [4, 2, 3, 2, 2] }), /4 dimensions \(2 x 3 x 2 x 2\)/],
  ['a vector at each voxel', header({ dim: [5, 2, 2, 2, 1, 3] }), /5 dimensions/],
  ['a side of 0', header({ dim: [3, 2, 0, 4] }), /2 x 0 x 4/],
  ['a negative side', header({ dim: [3, 2, -3, 4] }), /2 x -3 x 4/],
  ['a promise of 2^40 voxels', header({ dim: [3, 16384, 8192, 8192] }), /16384 x 8192 x 8192/],
  ['a promise of 2^40 voxels, gzipped', gzipSync(header({ dim: [3, 16384, 8192, 8192] })), /16384 x 8192 x 8192/],
  ['a promise of 2^120 voxels', header({ version: 2, dim: [3, 2 ** 40, 2 ** 40, 2 ** 40] }), /promises/],
  [
    'a promise of 2^28 voxels of 8 bytes',
    header({ dim: [3, 1024, 512, 512], datatype: 64 }),
    /promises 2147484000 bytes, the file has 376/,
  ],
  [
    'the same, gzipped',
    gzipSync(header({ dim: [3, 1024, 512, 512], datatype: 64 })),
    /promises 2147484000 bytes of a gzip file/,
  ],
  ['binary voxels', header({ datatype: 1 }), /binary/],
  ['RGB voxels', header({ datatype: 128 }), /RGB/],
  ['RGBA voxels', header({ datatype: 2304 }), /RGBA/],
  ['complex voxels', header({ datatype: 32 }), /complex64/],
  ['128-bit voxels', header({ datatype: 1536 }), /float128/],
  ['an unknown datatype', header({ datatype: 77 }), /unknown \(code 77\)/],
  ['voxels inside the header', header({ offset: 348 }), /vox_offset/],
  ['voxels at 0', header({ offset: 0 }), /vox_offset/],
  ['voxels at a half byte', header({ offset: 352.5 }), /vox_offset/],
  ['voxels at NaN', header({ offset: Number.NaN }), /vox_offset/],
  ['voxels beyond the file', header({ offset: 4096 }), /ends before its voxels|promises/],
  ['voxels a gigabyte away', header({ offset: 2 ** 30 }), /vox_offset/],
  ['an infinite slope', header({ slope: Number.NEGATIVE_INFINITY }), /slope/],
  ['an infinite intercept', header({ intercept: Number.POSITIVE_INFINITY }), /intercept/],
  ['a NaN intercept', header({ intercept: Number.NaN }), /intercept/],
  ['a singular sform', header({ srow: [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0] }), /sform.*singular/],
  [
    'a singular sform beside a good qform',
    header({ srow: [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], qformCode: 1, pixdim: [1, 2, 2, 2] }),
    /sform.*singular/,
  ],
  ['a sform of zeros', header({ srow: Array<number>(12).fill(0) }), /sform.*singular/],
  ['a sform with NaN', header({ srow: [1, 0, 0, Number.NaN, 0, 1, 0, 0, 0, 0, 1, 0] }), /sform.*finite/],
  ['an infinite sform', header({ srow: [Number.POSITIVE_INFINITY, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] }), /sform.*finite/],
  ['a quaternion longer than 1', header({ sformCode: 0, qformCode: 1, quatern: [1, 1, 0] }), /quaternion/],
  ['a quaternion with NaN', header({ sformCode: 0, qformCode: 1, quatern: [Number.NaN, 0, 0] }), /quaternion/],
  ['a qform with NaN for a place', header({ sformCode: 0, qformCode: 1, qoffset: [0, Number.NaN, 0] }), /qform/],
  ['infinite voxel sizes', header({ sformCode: 0, pixdim: [1, 1, Number.POSITIVE_INFINITY, 1] }), /pixdim/],
  [
    'a NaN voxel',
    header({ datatype: 16, dim: [3, 3, 1, 1], voxels: floatVoxels([1, Number.NaN, 2]) }),
    /Voxel \(1, 0, 0\)/,
  ],
  [
    'an infinite voxel',
    header({ datatype: 16, dim: [3, 1, 1, 2], voxels: floatVoxels([1, Number.NEGATIVE_INFINITY]) }),
    /Voxel \(0, 0, 1\)/,
  ],
  [
    'a voxel that scaling takes beyond float32',
    header({ dim: [3, 2, 1, 1], slope: 3e38, voxels: byteVoxels([1, 2]) }),
    /Voxel \(1, 0, 0\).*float32/,
  ],
  ['voxels cut short', GOOD.subarray(0, -1), /promises 376 bytes, the file has 375/],
  ['gzipped voxels cut short', gzipSync(GOOD.subarray(0, -1)), /ends after 23 of 24 voxels/],
  ['a header and nothing else, gzipped', gzipSync(GOOD.subarray(0, 348)), /ends before its voxels/],
  ['a gzip stream of nothing', gzipSync(''), /ends inside its header/],
  ['two bytes of gzip', GOOD_GZ.subarray(0, 2), /gzip stream is cut short/],
  ['gzip cut in the middle', GOOD_GZ.subarray(0, GOOD_GZ.length / 2), /gzip stream is cut short/],
  ['gzip without its last byte', GOOD_GZ.subarray(0, -1), /gzip stream is cut short/],
  ['a bad gzip checksum', changed(GOOD_GZ, -6, 0x55), /checksum/],
  ['a gzip method that does not exist', changed(GOOD_GZ, 2, 3), /gzip stream is damaged/],
  ['something behind the gzip stream', Buffer.concat([GOOD_GZ, Buffer.from('leftover')]), /gzip stream is damaged/],
  ['far more data than promised', Buffer.concat([GOOD, Buffer.alloc(2 * 2 ** 20)]), /far more data/],
  ['a gzip bomb of 10 GB', Buffer.concat([GOOD_GZ, ...Array<Uint8Array>(160).fill(ZEROS)]), /far more data/],
];

describe('a file that is no readable volume', () => {
  it.each(FILES)('is refused: %s', async (_, file, message) => {
    const start = performance.now();
    const refusal = expect(readNifti(file)).rejects;
    await refusal.toMatchObject({
      name: 'ServiceError',
      code: 'invalid_volume',
      message: expect.stringMatching(message),
    });
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('costs no memory of the size it promises', async () => {
    const noise = Uint8Array.from({ length: 2 ** 23 }, (_, n) => Math.imul(n, 0x9e3779b1) >>> 24);
    const short = gzipSync(header({ dim: [3, 1024, 512, 512], voxels: byteVoxels([]) }));
    const cut = Buffer.concat([short, gzipSync(noise, { level: 0 })]);
    const large = [cut, ...FILES.filter(([name]) => /promise|bomb/.test(name)).map(([, file]) => file)];
    expect(large.length).toBeGreaterThan(5);
    const before = process.resourceUsage().maxRSS;
    for (const file of large) await expect(readNifti(file)).rejects.toMatchObject({ code: 'invalid_volume' });
    await expect(readNifti(cut)).rejects.toThrow(/promises 268435808 bytes, the file unpacks to 8388960/);
    const grownMiB = (process.resourceUsage().maxRSS - before) / 1024;
    expect(grownMiB).toBeLessThan(150);
  });

  it('is refused by a limit of the caller', async () => {
    await expect(readNifti(GOOD, { maxVoxels: 23 })).rejects.toMatchObject({ code: 'invalid_volume' });
    expect((await readNifti(GOOD, { maxVoxels: 24 })).volume.data).toHaveLength(24);
  });

  it('leaves the next file readable', async () => {
    await Promise.allSettled(FILES.slice(0, 20).map(([, file]) => readNifti(file)));
    expect((await readNifti(GOOD_GZ)).volume.shape).toEqual([2, 3, 4]);
  });
});
