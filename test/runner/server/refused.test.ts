import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newHeader } from '../../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import { UPLOAD_MAX_BYTES } from '../../../schemas/limits.ts';
import { callHeaders, problemOf, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { fileOf, type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

const IDENTITY = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
const MEMORY_BYTES = 2 ** 28;
const SHAPE = [16, 16, 16] as const;

function nifti(data: ArrayLike<number>, affine = IDENTITY): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodeNifti({ header: newHeader(SHAPE, affine), datatype: 'float32', data }));
}

/** A header whose three sides are these. */
function promising(sides: readonly number[]): Uint8Array<ArrayBuffer> {
  const file = nifti(new Float32Array(16 ** 3));
  const view = new DataView(file.buffer);
  for (const [axis, side] of sides.entries()) view.setInt16(42 + 2 * axis, side, true);
  return file;
}

function form(parts: Record<string, Uint8Array<ArrayBuffer>>): FormData {
  const body = new FormData();
  for (const [name, bytes] of Object.entries(parts)) body.append(name, new Blob([bytes]), 'volume.nii');
  return body;
}

describe('what a runner refuses', () => {
  let test: TestRunner;
  let model: SmallModel;
  let adapter: ModelFile;
  let volume: Uint8Array<ArrayBuffer>;
  let noise: Float32Array;

  beforeAll(async () => {
    [test, model] = await Promise.all([
      startTestRunner({ PDORA_MEMORY_MB: String(MEMORY_BYTES / 2 ** 20), PDORA_WINDOWS: '32x32x64, 64x64x64' }),
      smallModel(['T1', 'T2']),
    ]);
    adapter = await model.adapter();
    test.edge.put(model.base);
    test.edge.put(adapter);
    volume = new Uint8Array(await noiseVolume(SHAPE));
    noise = Float32Array.from({ length: 16 ** 3 }, (_, n) => n % 17);
  });

  afterAll(async () => await test.close());

  // The state after every refusal: nothing waits, and the next good request works.
  afterEach(async () => {
    const reply = await post(form({ T1: volume, T2: volume }));
    expect(reply.status).toBe(200);
    await reply.arrayBuffer();
    expect(await (await fetch(new URL('/readyz', test.url))).json()).toEqual({ status: 'ready', queue: 0 });
  });

  function post(
    body: NonNullable<RequestInit['body']>,
    headers: Record<string, string> = {},
    path = '/segment',
    of = adapter,
  ) {
    const all: Record<string, string> = { ...callHeaders(model.base, of), ...headers };
    for (const [name, value] of Object.entries(all)) if (value === '') delete all[name];
    return fetch(new URL(path, test.url), { method: 'POST', headers: all, body });
  }

  /** The status line and the rest of a reply to bytes as they are. */
  async function raw(head: readonly string[], body: Uint8Array | string): Promise<string> {
    const { hostname, port } = new URL(test.url);
    const socket = connect(Number(port), hostname);
    socket.write([...head, 'connection: close', '', ''].join('\r\n'));
    socket.write(body);
    let reply = '';
    for await (const chunk of socket) reply += String(chunk);
    return reply;
  }

  it.each([
    ['no token', { authorization: '' }],
    ['another token', { authorization: 'Bearer runner-token-for-testx' }],
    ['the token under another scheme', { authorization: 'Basic runner-token-for-tests' }],
  ])('401: %s', async (_, headers) => {
    for (const path of ['/segment', '/verify', '/nothing']) {
      const reply = await post('x', headers, path);
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
      expect(await problemOf(reply)).toMatchObject({ status: 401, code: 'unauthorized' });
    }
    for (const method of ['GET', 'DELETE']) {
      expect((await fetch(new URL('/runs/any', test.url), { method })).status).toBe(401);
    }
  });

  it.each([
    ['no base', { 'x-base-digest': '' }],
    ['a base that is no digest', { 'x-base-digest': 'sha256:../../etc' }],
    ['an adapter that is no digest', { 'x-adapter-digest': 'SHA256:00' }],
    ['an adapter without a grant', { 'x-grant': '' }],
    ['a run id that could be a path', { 'x-run-id': '../x' }],
    ['a deadline that is no number', { 'x-deadline': 'soon' }],
    ['an output that is unknown', { 'x-output': 'mesh' }],
    ['a tenant that is no name', { 'x-tenant': 'A B' }],
  ])('400: %s', async (_, headers) => {
    expect(await problemOf(await post(form({ T1: volume, T2: volume }), headers))).toMatchObject({
      status: 400,
      code: 'invalid_request',
    });
  });

  it.each([
    ['no boundary', 'multipart/form-data', 'x'],
    ['a body that is no multipart', 'multipart/form-data; boundary=b', 'nothing of the kind'],
    [
      'a part that does not end',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="T1"\r\n\r\nabc',
    ],
  ])('400: %s', async (_, type, body) => {
    expect(await problemOf(await post(body, { 'content-type': type }))).toMatchObject({ code: 'invalid_request' });
  });

  it('404: a path, an adapter and a base that are nowhere', async () => {
    expect(await problemOf(await post('x', {}, '/nothing'))).toMatchObject({ status: 404, code: 'not_found' });
    const nowhere = fileOf(Uint8Array.of(1));
    expect(await problemOf(await post(volume, {}, '/segment', nowhere))).toMatchObject({ code: 'not_found' });
    const headers = { 'x-base-digest': nowhere.digest, 'x-base-file': '', 'x-adapter-digest': '', 'x-grant': '' };
    expect(await problemOf(await post(volume, headers))).toMatchObject({ code: 'not_found' });
  });

  it('411: a body without Content-Length', async () => {
    const stream = new Blob([volume]).stream();
    const init = { method: 'POST', headers: callHeaders(model.base, adapter), body: stream, duplex: 'half' as const };
    const reply = await fetch(new URL('/segment', test.url), init);
    expect(await problemOf(reply)).toMatchObject({ status: 411, code: 'length_required' });
  });

  it.each([
    ['any runner takes', UPLOAD_MAX_BYTES + 1, 'application/octet-stream'],
    ['this one has memory for', MEMORY_BYTES + 1, 'application/octet-stream'],
    [
      'this one has memory for, in parts that are put together',
      MEMORY_BYTES / 2 + 1,
      'multipart/form-data; boundary=b',
    ],
  ])('413: a body that announces more than %s, before it is read', async (_, length, type) => {
    const head = { ...callHeaders(model.base, adapter), 'content-type': type, 'content-length': String(length) };
    const headers = Object.entries(head).map(([name, value]) => `${name}: ${value}`);
    const reply = await raw(['POST /segment HTTP/1.1', 'host: runner', ...headers], 'the first bytes');
    expect(reply).toMatch(/^HTTP\/1\.1 413 /);
    expect(reply).toContain('"code":"too_large"');
  });

  it.each([
    ['an empty file', () => new Uint8Array(0)],
    ['no image', () => new TextEncoder().encode('not a volume at all'.repeat(100))],
    ['a gzip that ends early', () => new Uint8Array(volume.subarray(0, volume.length / 2))],
    ['a header that promises 2^40 voxels', () => promising([16384, 16384, 4096])],
    ['a gzip bomb', () => new Uint8Array(gzipSync(Buffer.concat([promising([512, 512, 512]), Buffer.alloc(2 ** 26)])))],
    ['a singular affine', () => nifti(noise, IDENTITY.with(0, 0))],
  ])('422 invalid_volume: %s, within a second', async (_, make) => {
    const body = form({ T1: make(), T2: volume });
    const start = performance.now();
    const problem = await problemOf(await post(body));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_volume' });
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it.each([
    ['a file that ends early', () => nifti(noise).subarray(0, 5000)],
    ['NaN voxels', () => nifti(noise.with(77, Number.NaN))],
  ])('422 invalid_volume: %s, on the grid of the other channel', async (_, make) => {
    const problem = await problemOf(await post(form({ T1: make(), T2: nifti(noise) })));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_volume' });
  });

  it.each([
    ['one volume without a name', () => volume],
    ['one channel missing', () => form({ T1: volume })],
    ['another channel', () => form({ T1: volume, FLAIR: volume })],
    ['one channel too many', () => form({ T1: volume, T2: volume, FLAIR: volume })],
    ['a name that every object has', () => form({ T1: volume, constructor: volume })],
    [
      'more parts than any adapter has channels',
      () => form(Object.fromEntries('abcdefghi'.split('').map((n) => [n, volume]))),
    ],
    ['no part at all', () => new FormData()],
  ])('422 channel_mismatch: %s', async (_, make) => {
    expect(await problemOf(await post(make()))).toMatchObject({ status: 422, code: 'channel_mismatch' });
  });

  it('422 channel_mismatch: a channel twice', async () => {
    const body = form({ T1: volume, T2: volume });
    body.append('T1', new Blob([volume]), 'again.nii');
    expect(await problemOf(await post(body))).toMatchObject({ code: 'channel_mismatch' });
  });

  it('422 grid_mismatch: channels of another shape, or another place', async () => {
    const larger = new Uint8Array(await noiseVolume([16, 16, 17]));
    expect(await problemOf(await post(form({ T1: volume, T2: larger })))).toMatchObject({ code: 'grid_mismatch' });
    const moved = nifti(noise, IDENTITY.with(3, 0.02));
    expect(await problemOf(await post(form({ T1: nifti(noise), T2: moved })))).toMatchObject({ code: 'grid_mismatch' });
  });

  it('422 invalid_adapter: a file that breaks the rules, and then the answer stays', async () => {
    const broken = fileOf(adapter.bytes.subarray(0, adapter.bytes.length - 4));
    test.edge.put(broken);
    for (let n = 0; n < 2; n++) {
      const problem = await problemOf(await post(form({ T1: volume, T2: volume }), {}, '/segment', broken));
      expect(problem.code).toBe('invalid_adapter');
      expect(problem.problems?.map(({ code }) => code)).toContain('container');
    }
  });

  it('422 invalid_adapter: a window that the operator does not allow', async () => {
    const other = await model.adapter({ inference: { roi_size: [64, 64, 32], overlap: 0.5, blend: 'gaussian' } });
    test.edge.put(other);
    const expected = { code: 'invalid_adapter', problems: [{ code: 'manifest', path: 'manifest.inference.roi_size' }] };
    expect(await problemOf(await post(form({ T1: volume, T2: volume }), {}, '/segment', other))).toMatchObject(
      expected,
    );
    const verdict: unknown = await (await post('', {}, '/verify', other)).json();
    expect(verdict).toMatchObject({ digest: other.digest, problems: expected.problems });
  });

  it('422 invalid_volume: an adapter whose spacing asks for more memory than there is, at once', async () => {
    const fine = await model.adapter({ preprocessing: { spacing: [0.3, 0.3, 0.3] } });
    test.edge.put(fine);
    const wide = nifti(noise, Float64Array.of(10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 1));
    const start = performance.now();
    const problem = await problemOf(await post(form({ T1: wide, T2: wide }), {}, '/segment', fine));
    expect(problem).toMatchObject({ status: 422, code: 'invalid_volume' });
    expect(problem.detail).toContain('501 x 501 x 501 voxels');
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('504: an adapter whose windows take too long stops between them at the deadline', async () => {
    const slow = await model.adapter({
      preprocessing: { spacing: [0.4, 0.4, 0.4] },
      inference: { roi_size: [32, 32, 64], overlap: 0.8, blend: 'gaussian' },
    });
    test.edge.put(slow);
    const wide = nifti(noise, Float64Array.of(3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1));
    await (await post('', {}, '/verify', slow)).json();
    const start = performance.now();
    const headers = { 'x-deadline': String(Date.now() + 1500) };
    const problem = await problemOf(await post(form({ T1: wide, T2: wide }), headers, '/segment', slow));
    expect(problem).toMatchObject({ status: 504, code: 'deadline_exceeded' });
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('504: a deadline that has passed', async () => {
    const headers = { 'x-deadline': String(Date.now() - 1) };
    expect(await problemOf(await post(form({ T1: volume, T2: volume }), headers))).toMatchObject({ status: 504 });
  });
});
