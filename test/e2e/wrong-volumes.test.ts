import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { floatVoxels, type RawNifti, rawNifti } from '../runner/volume/raw-nifti.ts';
import { mixed } from '../support/mixed.ts';
import { smallModel } from '../support/small-model.ts';
import { processTree } from './support/memory.ts';
import {
  labelMap,
  problemOf,
  pushReady,
  type SmallSystem,
  serveBase,
  startSmallSystem,
} from './support/small-system.ts';

/** A second on an idle machine; this one may be shared with others. */
const REFUSED_WITHIN_MS = 5_000;
/** What the service may hold at most beyond what it held before, for files of 10 MB. */
const PEAK_GROWTH_MAX_MIB = 128;
const MEMORY_MB = 256;

const NOISE = Float32Array.from({ length: 128 * 128 * 150 }, (_, n) => mixed(n));
const GOOD = large({});
const GOOD_GZ = gzipSync(GOOD, { level: 1 });
const SMALL = rawNifti({ dim: [3, 16, 16, 16], datatype: 16, voxels: floatVoxels(Array<number>(4096).fill(1)) });
const ZEROS = gzipSync(new Uint8Array(64 * 2 ** 20));

/** A volume of 9.8 MB, or a file that is none because of one thing in it. */
function large(raw: RawNifti, change: (voxels: Float32Array) => void = () => {}): Uint8Array {
  const data = NOISE.slice();
  change(data);
  const bytes = new Uint8Array(data.buffer);
  const write = (view: DataView) => new Uint8Array(view.buffer, view.byteOffset).set(bytes);
  return rawNifti({ dim: [3, 128, 128, 150], datatype: 16, voxels: { bytes: bytes.byteLength, write }, ...raw });
}

function changed(file: Uint8Array, fromEnd: number): Uint8Array {
  const place = file.byteLength - fromEnd;
  return new Uint8Array(file).with(place, (file[place] ?? 0) ^ 0xff);
}

function repeated(text: string): Uint8Array {
  return new TextEncoder().encode(text.repeat(10_000_000 / text.length));
}

function form(...parts: [string, Uint8Array][]): FormData {
  const body = new FormData();
  for (const [name, bytes] of parts) body.append(name, new Blob([new Uint8Array(bytes)]), 'volume.nii');
  return body;
}

const moved = (x: number) =>
  rawNifti({
    dim: [3, 16, 16, 16],
    datatype: 16,
    voxels: floatVoxels(Array<number>(4096).fill(1)),
    srow: [1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0],
  });

describe('a wrong volume', () => {
  let system: SmallSystem;
  let good: Buffer;
  let peaks: number[];

  const peakMiB = () => processTree(system.runner().pid).map((process) => process.peakMiB);

  beforeAll(async () => {
    system = await startSmallSystem({ PDORA_MEMORY_MB: String(MEMORY_MB) });
    const two = await smallModel(['T1', 'T2']);
    await serveBase(system, two);
    await pushReady(system, system.key, 'two', (await two.adapter()).bytes);
    good = await system.goodLabels();
    await labelMap(await system.segment('adapter=two', form(['T1', SMALL], ['T2', SMALL])));
    peaks = peakMiB();
  });
  afterAll(() => system.close());

  // The state after every refusal: the same answer to the same good request.
  afterEach(async () => {
    expect((await system.goodLabels()).equals(good)).toBe(true);
  });

  async function refusal(query: string, body: Uint8Array | FormData) {
    const start = performance.now();
    const problem = await problemOf(await system.segment(query, body));
    return { ...problem, milliseconds: performance.now() - start };
  }

  describe('is refused with what is wrong with it, soon and without the memory that it asks for', () => {
    test.each<[string, Uint8Array, RegExp]>([
      ['a file of zero bytes', new Uint8Array(0), /empty/],
      ['10 MB of text', repeated('This is no volume. '), /sizeof_hdr/],
      ['10 MB of JSON', repeated('{"inputs": []}, '), /sizeof_hdr/],
      ['10 MB of zeros', new Uint8Array(10_000_000), /sizeof_hdr/],
      ['a gzip that is cut short', GOOD_GZ.subarray(0, 8_000_000), /cut short/],
      ['a gzip without its end', GOOD_GZ.subarray(0, -1), /cut short/],
      ['a gzip with another checksum', changed(GOOD_GZ, 6), /checksum/],
      ['a gzip that is damaged inside', changed(GOOD_GZ, 4_000_000), /damaged|checksum/],
      ['a file that is cut short', GOOD.subarray(0, 9_000_000), /promises/],
      ['a promise of 2^40 voxels', large({ dim: [3, 16384, 8192, 8192] }), /16384 x 8192 x 8192/],
      ['a promise of 2^40 voxels in gzip', gzipSync(rawNifti({ dim: [3, 16384, 8192, 8192] })), /16384 x 8192 x 8192/],
      ['a promise of 2^28 voxels', large({ dim: [3, 1024, 512, 512] }), /1024 x 512 x 512|promises/],
      [
        '10 GB of zeros in gzip',
        Buffer.concat([gzipSync(SMALL), ...Array<Uint8Array>(160).fill(ZEROS)]),
        /far more data/,
      ],
      [
        '2^28 voxels of nothing in gzip',
        gzipSync(rawNifti({ dim: [3, 1024, 512, 512], voxels: { bytes: 2 ** 28, write: () => {} } }), { level: 1 }),
        /1024 x 512 x 512/,
      ],
      ['four dimensions', large({ dim: [4, 128, 128, 75, 2] }), /4 dimensions/],
      ['RGB voxels', large({ datatype: 128 }), /RGB/],
      ['complex voxels', large({ datatype: 32 }), /complex/],
      ['a NaN', large({}, (voxels) => voxels.fill(Number.NaN, -1)), /Voxel \(127, 127, 149\)/],
      ['an infinity', large({}, (voxels) => voxels.fill(Number.POSITIVE_INFINITY, 7, 8)), /Voxel \(7, 0, 0\)/],
      ['a singular affine', large({ srow: [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0] }), /singular/],
      ['an affine of NaN', large({ srow: [Number.NaN, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] }), /finite/],
      ['another magic string', large({ magic: 'abc\0' }), /magic/],
      ['far more than it promises', Buffer.concat([SMALL, new Uint8Array(8_000_000)]), /far more data/],
    ])('%s', async (_, file, message) => {
      const { status, code, detail, milliseconds } = await refusal('adapter=good', file);
      expect({ status, code }).toEqual({ status: 422, code: 'invalid_volume' });
      expect(detail).toMatch(message);
      expect(milliseconds).toBeLessThan(REFUSED_WITHIN_MS);
    });

    test('all of them together', () => {
      for (const [n, peak] of peakMiB().entries()) expect(peak - (peaks[n] ?? 0)).toBeLessThan(PEAK_GROWTH_MAX_MIB);
    });
  });

  test('is refused where it calls itself JSON, and where the upload that it names is not there', async () => {
    const { edge, key } = system;
    const call = { key, headers: { 'content-type': 'application/json' }, body: SMALL };
    const itself = await edge.call('POST', '/v1/segmentations?adapter=good', call);
    expect(await problemOf(itself)).toMatchObject({ status: 400, code: 'invalid_request' });
    const named = await edge.call('POST', '/v1/segmentations?adapter=good', { key, json: { inputs: { T1: 'id' } } });
    expect(await problemOf(named)).toMatchObject({ status: 404, code: 'not_found' });
  });

  describe('for an adapter of two channels', () => {
    test.each<[string, Uint8Array | FormData, string, RegExp]>([
      ['a body that is one volume', SMALL, 'channel_mismatch', /"T1", "T2"; found one without a name/],
      ['a channel missing', form(['T1', SMALL]), 'channel_mismatch', /none for channel 2/],
      ['a channel too many', form(['T1', SMALL], ['T2', SMALL], ['FLAIR', SMALL]), 'channel_mismatch', /found another/],
      ['a channel twice', form(['T1', SMALL], ['T2', SMALL], ['T1', SMALL]), 'channel_mismatch', /channel 1 twice/],
      ['an unknown channel', form(['T1', SMALL], ['t2', SMALL]), 'channel_mismatch', /found another/],
      ['a channel without a name', form(['T1', SMALL], ['', SMALL]), 'channel_mismatch', /found another/],
      ['no channel', new FormData(), 'channel_mismatch', /none for channel 1/],
      [
        'nine channels',
        form(...'abcdefghi'.split('').map((name): [string, Uint8Array] => [name, SMALL])),
        'channel_mismatch',
        /at most 8/,
      ],
      ['another shape', form(['T1', SMALL], ['T2', GOOD]), 'grid_mismatch', /T2/],
      ['another place', form(['T1', SMALL], ['T2', moved(0.02)]), 'grid_mismatch', /T2/],
      ['one that is no volume', form(['T1', SMALL], ['T2', SMALL.subarray(0, 5_000)]), 'invalid_volume', /promises/],
    ])('%s is refused', async (_, body, code, message) => {
      const problem = await refusal('adapter=two', body);
      expect(problem).toMatchObject({ status: 422, code });
      expect(problem.detail).toMatch(message);
      expect(problem.milliseconds).toBeLessThan(REFUSED_WITHIN_MS);
    });

    test('a place that differs by less than 0.01 mm is none', async () => {
      const reply = await system.segment('adapter=two', form(['T2', moved(0.009)], ['T1', SMALL]));
      expect((await labelMap(reply)).byteLength).toBeGreaterThan(0);
    });

    test('multipart that is none is malformed', async () => {
      const { edge, key } = system;
      const headers = { 'content-type': 'multipart/form-data; boundary=x' };
      const call = { key, body: SMALL, headers };
      const problem = await problemOf(await edge.call('POST', '/v1/segmentations?adapter=two', call));
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    });
  });
});
