import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pdora, problem, type Seen, start, type TestService, testService } from './run.ts';

const ADAPTER = `sha256:${'a'.repeat(64)}`;
const BASE = `sha256:${'b'.repeat(64)}`;
const MASK = gzipSync(Buffer.alloc(300_000, 7));
const MADE = {
  'content-type': 'application/gzip',
  'x-adapter-id': 'clinic/task',
  'x-adapter-version': '3',
  'x-adapter-digest': ADAPTER,
  'x-base-digest': BASE,
  'x-adapter-cache': 'warm',
  'server-timing': 'queue;dur=1.2, infer;dur=2345.6',
};

let folder: string;
let service: TestService;
let answer: (seen: Seen, reply: ServerResponse) => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-cli-'));
  answer = (_, reply) => reply.writeHead(200, { ...MADE, 'content-length': String(MASK.length) }).end(MASK);
  service = await testService((seen, reply) => answer(seen, reply));
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function volume(name: string, bytes = 200_000): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, Buffer.alloc(bytes, name.charCodeAt(0)));
  return path;
}

async function segment(images: readonly string[], ref: string, ...more: string[]) {
  const out = join(folder, 'out.nii.gz');
  const key = { PDORA_URL: service.url, PDORA_KEY: 'secret-key' };
  return await pdora(['segment', ...images, '-o', out, '--adapter', ref, ...more], key);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('pdora segment through the API', () => {
  it('sends one volume as it is with its length and the key, and writes the label map whole', async () => {
    const image = await volume('patient-name.nii.gz');
    const { status, stdout, stderr } = await segment([image], 'task@3', '--deadline', '33');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const [seen] = service.seen;
    expect(seen?.method).toBe('POST');
    expect(seen?.url).toBe('/v1/segmentations?adapter=task%403&deadline=33');
    expect(seen?.headers.authorization).toBe('Bearer secret-key');
    expect(seen?.headers['content-length']).toBe('200000');
    expect(sha256(seen?.body ?? Buffer.alloc(0))).toBe(sha256(await readFile(image)));
    expect(sha256(await readFile(join(folder, 'out.nii.gz')))).toBe(sha256(MASK));
    for (const told of ['clinic/task', ADAPTER, BASE, 'warm', 'infer 2.3 s']) expect(stdout).toContain(told);
  });

  it('sends several channels as parts named by them, and no file name', async () => {
    const images = [`FLAIR=${await volume('smith-flair.nii.gz')}`, `T1c=${await volume('smith-t1c.nii.gz')}`];
    const { status } = await segment(images, 'task');
    expect(status).toBe(0);
    const [seen] = service.seen;
    expect(seen?.headers['content-length']).toBe(String(seen?.body.length));
    const form = await new Response(new Uint8Array(seen?.body ?? []), {
      headers: { 'content-type': seen?.headers['content-type'] ?? '' },
    }).formData();
    expect([...form.keys()]).toEqual(['FLAIR', 'T1c']);
    const part = form.get('T1c');
    const bytes = part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : new Uint8Array();
    expect(sha256(bytes)).toBe(sha256(await readFile(join(folder, 'smith-t1c.nii.gz'))));
    expect(seen?.body.includes('smith')).toBe(false);
  });

  it('says a problem in one line with its code and request, and writes nothing', async () => {
    answer = (_, reply) => problem(reply, 422, { code: 'invalid_volume', detail: 'Truncated\ngzip stream.' });
    const { status, stderr } = await segment([await volume('a.nii.gz')], 'task');
    expect(status).toBe(1);
    expect(stderr).toBe('pdora: invalid_volume: Truncated; gzip stream. [request r-1]\n');
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it('lists the problems of a file with their codes in the same line', async () => {
    const problems = [{ code: 'labels', path: 'manifest.labels', message: 'a gap' }];
    answer = (_, reply) => problem(reply, 422, { code: 'invalid_adapter', detail: 'Not valid.', problems });
    const { stderr } = await segment([await volume('a.nii.gz')], 'task');
    expect(stderr).toBe('pdora: invalid_adapter: Not valid.; labels at manifest.labels: a gap [request r-1]\n');
  });

  it('writes nothing where the answer breaks off', async () => {
    answer = (_, reply) => {
      reply.writeHead(200, { ...MADE, 'content-length': String(MASK.length) });
      reply.write(MASK.subarray(0, 100), () => reply.destroy());
    };
    const { status, stderr } = await segment([await volume('a.nii.gz')], 'task');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: [^\n]+\n$/);
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it.each([
    ['of another digest than asked for', `sha256:${'c'.repeat(64)}`, MADE],
    ['of another version than asked for', 'task@4', MADE],
    ['without an adapter digest', 'task', { ...MADE, 'x-adapter-digest': '' }],
    ['without a base digest', 'task', { ...MADE, 'x-base-digest': 'unknown' }],
  ])('refuses a label map %s', async (_, ref, headers) => {
    answer = (__, reply) => reply.writeHead(200, headers).end(MASK);
    const { status, stderr } = await segment([await volume('a.nii.gz')], ref);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: bad_reply: [^\n]+\n$/);
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it('keeps the old label map where the new one fails', async () => {
    await writeFile(join(folder, 'out.nii.gz'), 'old');
    answer = (_, reply) => problem(reply, 503, { code: 'runner_busy', detail: 'Full.' });
    const { status } = await segment([await volume('a.nii.gz')], 'task');
    expect(status).toBe(1);
    expect(await readFile(join(folder, 'out.nii.gz'), 'utf8')).toBe('old');
  });

  it('tells the refusal of a service that does not read the body', async () => {
    const server = createServer((request, reply) => {
      problem(reply, 401, { code: 'unauthorized', detail: 'No.' });
      setTimeout(() => request.socket.destroy(), 500);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const { stderr } = await segment([await volume('big.nii.gz', 50_000_000)], 'task', '--url', url);
    expect(stderr).toBe('pdora: unauthorized: No. [request r-1]\n');
    await once(server.close(), 'close');
  });

  it('ends at once when it is interrupted, and leaves nothing half written', async () => {
    const waiting = Promise.withResolvers<void>();
    answer = (_, reply) => {
      reply.writeHead(200, { ...MADE, 'content-length': String(MASK.length) });
      reply.write(MASK.subarray(0, 100), () => waiting.resolve());
    };
    const args = ['segment', await volume('a.nii.gz'), '-o', join(folder, 'out.nii.gz'), '--adapter', 'task'];
    const child = start([...args, '--url', service.url, '--key', 'k']);
    await waiting.promise;
    await expect.poll(async () => await readdir(folder)).toHaveLength(2);
    child.kill('SIGINT');
    await once(child, 'close');
    expect(child.exitCode).toBe(130);
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it('refuses more than the API takes at all before sending any of it', async () => {
    const huge = join(folder, 'huge.nii.gz');
    await writeFile(huge, '');
    await truncate(huge, 512_000_001);
    const { status, stderr } = await segment([huge], 'task');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: too_large: [^\n]+\n$/);
    expect(service.seen).toEqual([]);
  });

  it('takes a deadline that one call does not last for as wrong usage', async () => {
    const { status, stderr } = await segment([await volume('a.nii.gz')], 'task', '--deadline', '601');
    expect(status).toBe(2);
    expect(stderr).toContain('--async');
    expect(service.seen).toEqual([]);
  });
});
