import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, type Outcome, pdora, problem, type Seen, start, type TestService, testService } from './run.ts';
import { shownAdapter } from './shown-adapter.ts';

const ADAPTER = `sha256:${'a'.repeat(64)}`;
const BASE = `sha256:${'b'.repeat(64)}`;
const NOON = '2026-01-31T12:00:00.000Z';
const MASK = gzipSync(Buffer.alloc(300_000, 7));
const JOB = {
  id: 'j1',
  status: 'queued',
  adapter: 'clinic/task',
  version: 3,
  adapter_digest: ADAPTER,
  base_digest: BASE,
  output: 'labels',
  format: 'nifti',
  progress: 0,
  attempt: 0,
  created_at: NOON,
  started_at: null,
  ended_at: null,
  deadline_at: NOON,
  expires_at: null,
  voxels: null,
  server_timing: null,
  problem: null,
};
const RUNNING = { ...JOB, status: 'running', progress: 0.5, attempt: 1 };
const DONE = { ...RUNNING, status: 'succeeded', progress: 1, ended_at: NOON, expires_at: NOON, voxels: 300_000 };
const FAILED = { ...RUNNING, status: 'failed', ended_at: NOON, problem: { code: 'invalid_volume', detail: 'Cut.' } };
const MADE = {
  'x-adapter-id': 'clinic/task',
  'x-adapter-version': '3',
  'x-adapter-digest': ADAPTER,
  'x-base-digest': BASE,
  'x-adapter-cache': 'warm',
  'server-timing': 'infer;dur=2345.6',
};

const at = (part: string) => `https://edge.example/v1/uploads/u1/${part}?signature=s`;

type Answer = (seen: Seen, reply: ServerResponse) => void;

let folder: string;
let service: TestService;
/** By method and path without its query; what is not here is as of a service where all goes well. */
let answers: Record<string, Answer>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-cli-'));
  answers = {};
  service = await testService((seen, reply) => (answers[step(seen)] ?? GOES_WELL[step(seen)] ?? absent)(seen, reply));
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

const GOES_WELL: Record<string, Answer> = {
  'POST /v1/segmentations': (_, reply) => json(reply, 202, { id: 'j1', status: 'queued' }),
  'GET /v1/segmentations/j1/events': (_, reply) => events(reply, JOB, RUNNING, DONE),
  'GET /v1/segmentations/j1': (_, reply) => json(reply, 200, RUNNING),
  'GET /v1/segmentations/j1/result': (_, reply) => reply.writeHead(200, MADE).end(MASK),
  'DELETE /v1/segmentations/j1': (_, reply) => reply.writeHead(204).end(),
};

const absent: Answer = (_, reply) => problem(reply, 404, { code: 'not_found', detail: 'Nothing here.' });

function step({ method, url }: Seen): string {
  return `${method} ${url.split('?')[0]}`;
}

function steps(): string[] {
  return service.seen.map(step);
}

function events(reply: ServerResponse, ...jobs: unknown[]): void {
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const job of jobs) reply.write(`: waiting\n\ndata: ${JSON.stringify(job)}\nid: 1\n\n`);
  reply.end();
}

async function volume(name: string, bytes = 200_000): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, '');
  await truncate(path, bytes);
  return path;
}

async function run(...args: string[]): Promise<Outcome> {
  return await pdora([...args, '--url', service.url, '--key', 'k']);
}

async function segment(image: string, ...more: string[]): Promise<Outcome> {
  return await run('segment', image, '-o', join(folder, 'out.nii.gz'), '--adapter', 'task', ...more);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('pdora segment --async', () => {
  it('hands the volume in with its digest and a key, follows the job and writes its label map', async () => {
    const image = await volume('a.nii.gz');
    const { status, stdout, stderr } = await segment(image, '--async', '--deadline', '7200');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(steps()).toEqual([
      'POST /v1/segmentations',
      'GET /v1/segmentations/j1/events',
      'GET /v1/segmentations/j1/result',
    ]);
    const { url, headers, body } = service.seen[0] ?? {};
    expect(url).toBe('/v1/segmentations?adapter=task&deadline=7200');
    expect(headers?.['prefer']).toBe('respond-async');
    expect(headers?.['idempotency-key']).toMatch(/^[\x21-\x7e]{16,255}$/);
    const digest = createHash('sha256').update(Buffer.alloc(200_000)).digest('base64');
    expect(headers?.['repr-digest']).toBe(`sha-256=:${digest}:`);
    expect(body?.length).toBe(200_000);
    expect(sha256(await readFile(join(folder, 'out.nii.gz')))).toBe(sha256(MASK));
    for (const told of ['j1', 'clinic/task', ADAPTER, 'infer 2.3 s']) expect(stdout).toContain(told);
  });

  it('erases the job where it is told to, once the label map is written', async () => {
    expect((await segment(await volume('a.nii.gz'), '--async', '--erase')).status).toBe(0);
    expect(steps().slice(-2)).toEqual(['GET /v1/segmentations/j1/result', 'DELETE /v1/segmentations/j1']);
  });

  it('hands in again under the same key where the connection broke, and after the time that it is told', async () => {
    let tries = 0;
    answers['POST /v1/segmentations'] = (_, reply) => {
      tries += 1;
      if (tries === 1) reply.socket?.destroy();
      else if (tries === 2) {
        reply.setHeader('retry-after', '1');
        problem(reply, 503, { code: 'storage_unavailable', detail: 'Away.' });
      } else if (tries === 3) {
        reply.setHeader('retry-after', '1');
        problem(reply, 409, { code: 'conflict', detail: 'The first is under way.' });
      } else json(reply, 202, { id: 'j1', status: 'queued' });
    };
    expect(await segment(await volume('a.nii.gz'), '--async')).toMatchObject({ status: 0, stderr: '' });
    const handedIn = service.seen.filter(({ method }) => method === 'POST');
    expect(handedIn).toHaveLength(4);
    expect(new Set(handedIn.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(new Set(handedIn.map(({ body }) => body.length))).toEqual(new Set([200_000]));
  });

  it.each([
    [422, 'idempotency_mismatch', null],
    [429, 'quota_exceeded', '10'],
    [503, 'storage_unavailable', '3600'],
  ])('does not hand in again after %i %s', async (status, code, after) => {
    answers['POST /v1/segmentations'] = (_, reply) => {
      if (after !== null) reply.setHeader('retry-after', after);
      problem(reply, status, { code, detail: 'No.' });
    };
    const outcome = await segment(await volume('a.nii.gz'), '--async');
    expect(outcome).toMatchObject({ status: 1, stderr: `pdora: ${code}: No. [request r-1]\n` });
    expect(steps()).toEqual(['POST /v1/segmentations']);
  });

  it('follows the job through streams of events that end or break before it does', async () => {
    let streams = 0;
    answers['GET /v1/segmentations/j1/events'] = (_, reply) => {
      streams += 1;
      if (streams === 1) events(reply, JOB);
      else if (streams === 2) {
        reply.writeHead(200, { 'content-type': 'text/event-stream' });
        reply.write(`data: ${JSON.stringify(RUNNING).slice(0, 40)}`, () => reply.destroy());
      } else events(reply, RUNNING, DONE);
    };
    expect(await segment(await volume('a.nii.gz'), '--async')).toMatchObject({ status: 0, stderr: '' });
    expect(streams).toBe(3);
  });

  it('fetches a label map again that breaks off, and writes it whole', async () => {
    let tries = 0;
    answers['GET /v1/segmentations/j1/result'] = (_, reply) => {
      tries += 1;
      reply.writeHead(200, { ...MADE, 'content-length': String(MASK.length) });
      if (tries === 1) reply.write(MASK.subarray(0, 100), () => reply.destroy());
      else reply.end(MASK);
    };
    expect(await segment(await volume('a.nii.gz'), '--async')).toMatchObject({ status: 0, stderr: '' });
    expect(sha256(await readFile(join(folder, 'out.nii.gz')))).toBe(sha256(MASK));
    expect((await readdir(folder)).toSorted()).toEqual(['a.nii.gz', 'out.nii.gz']);
  });

  it('says why a job failed in one line with its code, and writes nothing', async () => {
    answers['GET /v1/segmentations/j1/events'] = (_, reply) => events(reply, FAILED);
    const outcome = await segment(await volume('a.nii.gz'), '--async');
    expect(outcome).toMatchObject({ status: 1, stderr: 'pdora: invalid_volume: Cut. [job j1]\n' });
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it('refuses a label map of another adapter than the job’s', async () => {
    const other = { ...MADE, 'x-adapter-digest': `sha256:${'c'.repeat(64)}` };
    answers['GET /v1/segmentations/j1/result'] = (_, reply) => reply.writeHead(200, other).end(MASK);
    const { status, stderr } = await segment(await volume('a.nii.gz'), '--async');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: bad_reply: [^\n]+ pdora job result j1 [^\n]+\n$/);
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });

  it('cancels the job when it is interrupted', async () => {
    const waiting = Promise.withResolvers<void>();
    answers['GET /v1/segmentations/j1/events'] = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.write(`data: ${JSON.stringify(RUNNING)}\n\n`, () => waiting.resolve());
    };
    answers['DELETE /v1/segmentations/j1'] = (_, reply) => json(reply, 202, { id: 'j1', status: 'cancelled' });
    const args = [
      'segment',
      await volume('a.nii.gz'),
      '-o',
      join(folder, 'out.nii.gz'),
      '--adapter',
      'task',
      '--async',
    ];
    const child = start([...args, '--url', service.url, '--key', 'k']);
    await waiting.promise;
    child.kill('SIGINT');
    await once(child, 'close');
    expect(child.exitCode).toBe(130);
    expect(steps().at(-1)).toBe('DELETE /v1/segmentations/j1');
    expect(await readdir(folder)).toEqual(['a.nii.gz']);
  });
});

describe('pdora segment with images too large for one request', () => {
  const SIZE = 95_000_001;
  const SUM = sha256(Buffer.alloc(SIZE));
  const card = shownAdapter({ latest: 3, version: 3, digest: ADAPTER, base: BASE });
  const begun = {
    id: 'u1',
    size: SIZE,
    sha256: `sha256:${SUM}`,
    parts: [50_000_000, 45_000_001].map((size, n) => ({ url: at(`parts/${n + 1}`), size, received: false })),
    complete: at('complete'),
    completed_at: null,
    expires_at: NOON,
  };

  beforeEach(() => {
    Object.assign(answers, {
      'GET /v1/adapters/task': (_, reply) => json(reply, 200, card),
      'POST /v1/uploads': (_, reply) => json(reply, 201, begun),
      'PUT /v1/uploads/u1/parts/1': (_, reply) => reply.writeHead(204).end(),
      'PUT /v1/uploads/u1/parts/2': (_, reply) => reply.writeHead(204).end(),
      'POST /v1/uploads/u1/complete': (_, reply) => json(reply, 200, { id: 'u1', size: SIZE, sha256: `sha256:${SUM}` }),
      'DELETE /v1/uploads/u1': (_, reply) => reply.writeHead(204).end(),
    } satisfies Record<string, Answer>);
  });

  it('uploads them in parts for the adapter’s channel, and deletes the upload in the end', async () => {
    const outcome = await segment(await volume('large.nii', SIZE));
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(steps()).toEqual([
      'GET /v1/adapters/task',
      'POST /v1/uploads',
      'PUT /v1/uploads/u1/parts/1',
      'PUT /v1/uploads/u1/parts/2',
      'POST /v1/uploads/u1/complete',
      'POST /v1/segmentations',
      'GET /v1/segmentations/j1/events',
      'GET /v1/segmentations/j1/result',
      'DELETE /v1/uploads/u1',
    ]);
    const asked = service.seen.find((seen) => step(seen) === 'POST /v1/segmentations');
    expect(JSON.parse(String(asked?.body))).toEqual({ inputs: { T1: 'u1' } });
    expect(asked?.headers['idempotency-key']).toBeDefined();
    expect(service.seen[1]?.headers['idempotency-key']).toBeDefined();
  });

  it('deletes the upload also where the segmentation is refused', async () => {
    answers['POST /v1/segmentations'] = (_, reply) => problem(reply, 429, { code: 'quota_exceeded', detail: 'Full.' });
    expect((await segment(await volume('large.nii', SIZE))).status).toBe(1);
    expect(steps().at(-1)).toBe('DELETE /v1/uploads/u1');
  });

  it.each([
    ['another name', 'FLAIR='],
    ['none, where the adapter has two', ''],
  ])('uploads nothing where the channel has %s', async (_, prefix) => {
    const channels = prefix === '' ? ['T1', 'FLAIR'] : ['T1'];
    answers['GET /v1/adapters/task'] = (__, reply) => json(reply, 200, { ...card, channels });
    const { status, stderr } = await segment(`${prefix}${await volume('large.nii', SIZE)}`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^pdora: channel_mismatch: [^\n]*T1[^\n]*\n$/);
    expect(steps()).toEqual(['GET /v1/adapters/task']);
  });

  it('asks for the channel’s name where the key may not look it up, and goes without where it is given', async () => {
    answers['GET /v1/adapters/task'] = (_, reply) => problem(reply, 403, { code: 'forbidden', detail: 'No.' });
    const large = await volume('large.nii', SIZE);
    const { status, stderr } = await segment(large);
    expect(status).toBe(2);
    expect(stderr).toContain('CHANNEL=');
    expect(await segment(`T1=${large}`)).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('pdora job', () => {
  it('lists the newest, page after page, no more than asked for', async () => {
    answers['GET /v1/segmentations'] = ({ url }, reply) => {
      const second = url.includes('cursor=c1');
      const data = second ? [{ ...FAILED, id: 'j3' }, DONE] : [RUNNING, { ...DONE, id: 'j2' }];
      json(reply, 200, { data, next_cursor: second ? 'c2' : 'c1' });
    };
    const { stdout } = await run('job', 'list', '--limit', '3');
    expect(stdout.split('\n').slice(1, -1)).toEqual([
      expect.stringMatching(/^j1 +running +50% +clinic\/task@3 /),
      expect.stringMatching(/^j2 +succeeded +100% /),
      expect.stringMatching(/^j3 +failed +50% /),
    ]);
    expect(service.seen).toHaveLength(2);
    const listed = await run('job', 'list', '--limit', '1', '--json');
    expect(JSON.parse(listed.stdout)).toEqual([RUNNING]);
  });

  it('shows one, with what went wrong', async () => {
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, FAILED);
    expect((await run('job', 'show', 'j1')).stdout).toMatch(/^problem +invalid_volume: Cut\.$/m);
    expect(JSON.parse((await run('job', 'show', 'j1', '--json')).stdout)).toEqual(FAILED);
  });

  it('waits for the end, and fails as the job did', async () => {
    expect((await run('job', 'wait', 'j1')).stdout).toMatch(/^status +succeeded$/m);
    answers['GET /v1/segmentations/j1/events'] = (_, reply) => events(reply, RUNNING, FAILED);
    const outcome = await run('job', 'wait', 'j1');
    expect(outcome).toMatchObject({ status: 1, stderr: 'pdora: invalid_volume: Cut. [job j1]\n' });
  });

  it('writes the label map of one that has ended', async () => {
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, DONE);
    const out = join(folder, 'out.nii.gz');
    expect((await run('job', 'result', 'j1', '-o', out)).status).toBe(0);
    expect(sha256(await readFile(out))).toBe(sha256(MASK));
  });

  it('asks for the format that the name says, and takes a label map under no other name', async () => {
    const out = join(folder, 'out.seg.nrrd');
    const image = await volume('a.nii.gz');
    expect((await run('segment', image, '-o', out, '--adapter', 'task', '--async')).status).toBe(0);
    expect(service.seen[0]?.url).toBe('/v1/segmentations?adapter=task&format=nrrd');
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, { ...DONE, format: 'nrrd' });
    const named = await run('job', 'result', 'j1', '-o', join(folder, 'out.nii.gz'));
    expect(named).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^pdora: usage: [^\n]*\.seg\.nrrd[^\n]*\n$/),
    });
    expect((await run('job', 'result', 'j1', '-o', join(folder, 'again.nrrd'))).status).toBe(0);
    expect((await readdir(folder)).toSorted()).toEqual(['a.nii.gz', 'again.nrrd', 'out.seg.nrrd']);
  });

  it('reports what was found, in words and as it came', async () => {
    const label = { value: 1, name: 'left', voxels: 887, volume_ml: 7.096, components: 2 };
    const sure = { mean_probability: 0.98983, mean_entropy: 0.0312 };
    const warning = { code: 'spacing', channel: 'T1', message: 'Along R the voxels are 5 mm.' };
    const { status: _s, format: _f, progress: _p, deadline_at: _d, expires_at: _e, problem: _q, ...made } = DONE;
    const report = { ...made, labels: [{ ...label, ...sure }], omitted: 3, warnings: [warning] };
    answers['GET /v1/segmentations/j1/report'] = (_, reply) => json(reply, 200, report);
    const { stdout, stderr } = await run('job', 'report', 'j1');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^1 +left +887 +7\.096 ml +2 +0\.9898 +0\.0312$/m);
    expect(stdout).toMatch(/^3 more labels did not fit/m);
    expect(stdout).toMatch(/^warning: spacing \(T1\): Along R the voxels are 5 mm\.$/m);
    expect(JSON.parse((await run('job', 'report', 'j1', '--json')).stdout)).toEqual(report);
    expect(await run('job', 'report', 'j2')).toMatchObject({ status: 1, stderr: expect.stringMatching(/not_found/) });
  });

  it('says that a label map is gone', async () => {
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, DONE);
    answers['GET /v1/segmentations/j1/result'] = (_, reply) =>
      problem(reply, 410, { code: 'expired', detail: 'Gone.' });
    const outcome = await run('job', 'result', 'j1', '-o', join(folder, 'out.nii.gz'));
    expect(outcome).toMatchObject({ status: 1, stderr: 'pdora: expired: Gone. [request r-1]\n' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('cancels one that has not ended, and erases none by that', async () => {
    answers['DELETE /v1/segmentations/j1'] = (_, reply) => json(reply, 202, { id: 'j1', status: 'cancelled' });
    expect((await run('job', 'cancel', 'j1')).stdout).toBe('cancelled j1\n');
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, DONE);
    const outcome = await run('job', 'cancel', 'j1');
    expect(outcome).toMatchObject({ status: 1, stderr: 'pdora: conflict: it has ended (succeeded) [job j1]\n' });
    expect(steps().filter((one) => one.startsWith('DELETE'))).toHaveLength(1);
  });

  it('deletes one that has ended, and cancels none by that', async () => {
    expect((await run('job', 'delete', 'j1')).stderr).toMatch(/^pdora: in_use: it is running/);
    expect(steps()).toEqual(['GET /v1/segmentations/j1']);
    answers['GET /v1/segmentations/j1'] = (_, reply) => json(reply, 200, DONE);
    expect((await run('job', 'delete', 'j1')).stdout).toBe('deleted j1\n');
    expect(steps().at(-1)).toBe('DELETE /v1/segmentations/j1');
  });
});
