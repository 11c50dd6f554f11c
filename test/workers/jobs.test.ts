import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, cron, deliver, edge, problem, waiting } from './support/edge.ts';
import { adapterFile, BASE_DIGEST, push, reprDigest, sha256 } from './support/files.ts';
import { auditOf, objects, shown, submit, submitted, VOLUME } from './support/jobs.ts';
import { LABEL_MAP, labelMap, TIMING } from './support/runner-stub.ts';
import { forgetRunners, useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();

beforeEach(async () => {
  await push(world.key, 'tumour', file);
  world.runner.calls.length = 0;
});

describe('a segmentation that is taken in', () => {
  test('is queued, says where it is, and waits with its input', async () => {
    const reply = await submit(world.key);
    expect(reply.status).toBe(202);
    const { id, status } = await reply.json<{ id: string; status: string }>();
    expect(status).toBe('queued');
    expect(reply.headers.get('location')).toBe(`/v1/segmentations/${id}`);
    expect(reply.headers.get('preference-applied')).toBe('respond-async');
    expect(await objects('inputs/')).toEqual([`inputs/${id}`]);
    expect(world.runner.calls).toEqual([]);
    expect(await shown(world.key, id)).toMatchObject({
      id,
      status: 'queued',
      adapter: 'acme/tumour',
      version: 1,
      adapter_digest: sha256(file),
      base_digest: BASE_DIGEST,
      output: 'labels',
      progress: 0,
      ended_at: null,
      problem: null,
    });
    expect(waiting()).toHaveLength(1);
  });

  test('keeps the format that was asked for', async () => {
    const id = await submitted(world.key, 'adapter=tumour&format=nrrd');
    await deliver();
    expect(world.runner.calls[0]?.headers.get('x-format')).toBe('nrrd');
    expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', format: 'nrrd' });
    const result = await edge('GET', `/v1/segmentations/${id}/result`, { key: world.key });
    expect(result.headers.get('content-type')).toBe('application/x-nrrd');
    expect(result.headers.get('content-disposition')).toBe('attachment; filename="labels.seg.nrrd"');
    await result.body?.cancel();
  });

  test('is done by a runner with the volume byte for byte, and its label map kept', async () => {
    const id = await submitted(world.key, 'adapter=tumour&output=probabilities');
    await deliver();
    const [call] = world.runner.calls;
    expect(call?.body).toEqual(VOLUME);
    expect(call?.headers.get('x-adapter-digest')).toBe(sha256(file));
    expect(call?.headers.get('x-output')).toBe('probabilities');
    expect(call?.headers.get('x-tenant')).toBe('acme');
    const job = await shown(world.key, id);
    expect(job).toMatchObject({ status: 'succeeded', progress: 1, attempt: 1, server_timing: TIMING, problem: null });
    const kept = Date.parse(job.expires_at ?? '') - Date.parse(job.ended_at ?? '');
    expect(kept).toBe(24 * 3_600_000);
    const result = await edge('GET', `/v1/segmentations/${id}/result`, { key: world.key });
    expect(result.status).toBe(200);
    expect(result.headers.get('content-type')).toBe('application/gzip');
    expect(result.headers.get('content-length')).toBe(String(LABEL_MAP.byteLength));
    expect(result.headers.get('x-adapter-id')).toBe('acme/tumour');
    expect(result.headers.get('x-adapter-version')).toBe('1');
    expect(result.headers.get('x-adapter-digest')).toBe(sha256(file));
    expect(result.headers.get('x-base-digest')).toBe(BASE_DIGEST);
    expect(result.headers.get('x-adapter-cache')).toBe('cold');
    expect(result.headers.get('server-timing')).toBe(TIMING);
    expect(new Uint8Array(await result.arrayBuffer())).toEqual(LABEL_MAP);
  });

  test('leaves no input behind once it has ended', async () => {
    await submitted(world.key);
    await deliver();
    expect(await objects('inputs/')).toEqual([]);
  });

  test('passes multipart on with its boundary', async () => {
    const body = new FormData();
    body.set('T1', new Blob([VOLUME]));
    const encoded = new Response(body);
    const type = encoded.headers.get('content-type') ?? '';
    const bytes = new Uint8Array(await encoded.arrayBuffer());
    await submitted(world.key, 'adapter=tumour', { body: bytes, headers: { 'content-type': type } });
    await deliver();
    expect(world.runner.calls[0]?.headers.get('content-type')).toBe(type);
    expect(world.runner.calls[0]?.body).toEqual(bytes);
  });

  test('may be the base alone, and the operator may ask for one', async () => {
    const id = await submitted(ADMIN, 'adapter=__base__');
    await deliver();
    expect(await shown(ADMIN, id)).toMatchObject({ status: 'succeeded', adapter: '__base__', version: null });
  });

  test('keeps the version that it was taken in with, whatever an alias means later', async () => {
    await env.DB.prepare("INSERT INTO aliases VALUES ('acme', 'tumour', 'prod', 1)").run();
    const id = await submitted(world.key, 'adapter=tumour@prod');
    await push(world.key, 'tumour', adapterFile('two'));
    await env.DB.prepare('UPDATE aliases SET version = 2').run();
    world.runner.calls.length = 0;
    await deliver();
    expect(world.runner.calls[0]?.headers.get('x-adapter-digest')).toBe(sha256(file));
    expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', version: 1 });
  });

  test.each([
    ['an unknown adapter', 'adapter=nothing', {}, 404, 'not_found'],
    ['no adapter', '', {}, 400, 'invalid_request'],
    ['a deadline over a day', 'adapter=tumour&deadline=86401', {}, 400, 'invalid_request'],
    ['another digest than its own', 'adapter=tumour', { 'repr-digest': reprDigest(file) }, 400, 'invalid_request'],
    ['no readable idempotency key', 'adapter=tumour', { 'idempotency-key': 'a b' }, 400, 'invalid_request'],
  ])('is refused with %s, and nothing is kept', async (_, query, headers, status, code) => {
    expect(await problem(await submit(world.key, query, { headers }))).toMatchObject({ status, code });
    expect([await objects('inputs/'), waiting()]).toEqual([[], []]);
    expect(await env.DB.prepare('SELECT count(*) AS n FROM jobs').first()).toEqual({ n: 0 });
  });

  test('may have a deadline that a synchronous one may not', async () => {
    await submitted(world.key, 'adapter=tumour&deadline=86400');
    const now = await edge('POST', '/v1/segmentations?adapter=tumour&deadline=601', { key: world.key, body: VOLUME });
    expect(await problem(now)).toMatchObject({ status: 400, code: 'invalid_request' });
  });
});

describe('a job whose attempt comes to nothing', () => {
  test('fails with what the runner says of its volume, once', async () => {
    world.runner.segment = refuse(422, 'invalid_volume');
    const id = await submitted(world.key);
    await deliver();
    expect(waiting()).toEqual([]);
    const job = await shown(world.key, id);
    expect(job).toMatchObject({
      status: 'failed',
      problem: { code: 'invalid_volume', detail: 'told: invalid_volume' },
    });
    const result = await problem(await edge('GET', `/v1/segmentations/${id}/result`, { key: world.key }));
    expect(result).toMatchObject({ status: 409, code: 'conflict' });
    expect(result.detail).toContain('invalid_volume');
    expect(await objects('')).not.toContain(`inputs/${id}`);
  });

  test('waits without spending an attempt while no runner is ready, and then succeeds', async () => {
    world.runner.down = true;
    forgetRunners();
    const id = await submitted(world.key);
    for (let i = 0; i < 8; i++) await deliver();
    expect(waiting()).toHaveLength(1);
    expect(waiting()[0]?.delaySeconds).toBeGreaterThan(0);
    expect(await shown(world.key, id)).toMatchObject({ status: 'queued', attempt: 0 });
    world.runner.down = false;
    forgetRunners();
    await deliver();
    expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  test('is tried again where the runner has no room, however often', async () => {
    world.runner.segment = refuse(503, 'runner_busy');
    const id = await submitted(world.key);
    for (let i = 0; i < 8; i++) {
      await deliver();
      forgetRunners();
    }
    expect((await shown(world.key, id)).status).toBe('queued');
    world.runner.segment = (headers) => labelMap(headers);
    await deliver();
    expect((await shown(world.key, id)).status).toBe('succeeded');
  });

  test('is tried again where the runner is lost, and fails with the reason after five', async () => {
    const errors = ['Network connection lost.', 'again', 'again', 'again', 'again'];
    world.runner.segment = () => {
      throw new Error(errors.shift() ?? 'asked too often');
    };
    const id = await submitted(world.key);
    for (let i = 0; i < 8; i++) {
      await deliver();
      forgetRunners();
    }
    expect(errors).toEqual([]);
    expect(await shown(world.key, id)).toMatchObject({ status: 'failed', problem: { code: 'runner_unavailable' } });
    expect(waiting()).toEqual([]);
    expect(await objects('inputs/')).toEqual([]);
  });

  test('never ends with a label map of another adapter', async () => {
    world.runner.segment = (headers) => labelMap(headers, { 'x-adapter-digest': sha256(adapterFile('other')) });
    const id = await submitted(world.key);
    for (let i = 0; i < 8; i++) {
      await deliver();
      forgetRunners();
    }
    expect(await shown(world.key, id)).toMatchObject({ status: 'failed', problem: { code: 'bad_runner_reply' } });
    expect(await objects('results/')).toEqual([]);
  });

  test('fails at its deadline where it never began', async () => {
    world.runner.down = true;
    forgetRunners();
    const id = await submitted(world.key, 'adapter=tumour&deadline=0.001');
    await scheduler.wait(5);
    await deliver();
    expect(await shown(world.key, id)).toMatchObject({ status: 'failed', problem: { code: 'deadline_exceeded' } });
  });
});

describe('the sweeper', () => {
  test('sends a message for a job whose message was lost', async () => {
    const id = await submitted(world.key);
    waiting().length = 0;
    await cron();
    expect(waiting()).toEqual([]);
    await env.DB.prepare('UPDATE jobs SET lease_until = 1').run();
    await cron();
    await cron();
    expect(waiting().map(({ body }) => body.job)).toEqual([id]);
    await deliver();
    expect((await shown(world.key, id)).status).toBe('succeeded');
  });

  test('has a lost attempt taken over; what it still writes is nobody’s', async () => {
    const id = await submitted(world.key);
    const late = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    world.runner.segment = async (headers) => {
      asked.resolve();
      await late.promise;
      return labelMap(headers);
    };
    const first = deliver();
    await asked.promise;
    // The Worker that waits is, for all the others know, gone.
    await env.DB.prepare('UPDATE jobs SET lease_until = 1').run();
    world.runner.segment = (headers) => labelMap(headers);
    await cron();
    await deliver();
    expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    late.resolve();
    await first;
    expect(await objects('results/')).toEqual([`results/${id}/2`]);
    expect((await auditOf(id)).map(({ action }) => action)).toEqual(['segmentation.create', 'segmentation.run']);
  });
});

test('of several messages for one job, one attempt comes and one message begets the next', async () => {
  const id = await submitted(world.key);
  const again = waiting()[0];
  if (again === undefined) throw new Error('no message');
  world.runner.down = true;
  forgetRunners();
  waiting().push(again, again, again);
  await deliver();
  expect(waiting()).toHaveLength(1);
  world.runner.down = false;
  forgetRunners();
  waiting().push(again, again, again);
  await deliver();
  expect(world.runner.calls).toHaveLength(1);
  expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  await deliver();
  expect(await objects('results/')).toEqual([`results/${id}/1`]);
});

/** A runner that refuses. */
function refuse(status: number, code: string): () => Response {
  return () =>
    Response.json(
      { code, detail: `told: ${code}` },
      { status, headers: { 'content-type': 'application/problem+json' } },
    );
}
