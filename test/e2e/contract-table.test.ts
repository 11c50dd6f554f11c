import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { keyCreatedSchema, type Scope } from '../../schemas/api.ts';
import { DIRECT_BODY_MAX_BYTES } from '../../schemas/limits.ts';
import { noiseVolume } from '../support/small-model.ts';
import { patchManifest } from './support/damage.ts';
import { labelMap, problemOf, type SmallSystem, startSmallSystem } from './support/small-system.ts';
import { verified } from './support/system.ts';

const SEGMENT = '/v1/segmentations?adapter=good';
const UPLOAD = '/v1/adapters/new/versions';

/** Rows of the contract's table of errors that depend on a real connection or a real runner; the others are in test/workers. */
describe('every error leaves the service as it was', () => {
  let system: SmallSystem;
  let good: Buffer;
  let volume: Uint8Array;
  let slow: Uint8Array;
  let other: string;

  beforeAll(async () => {
    system = await startSmallSystem({ PDORA_QUEUE_LIMIT: '4' });
    other = await system.makeTenant('clinic');
    [volume, slow] = await Promise.all([noiseVolume([16, 16, 16]), noiseVolume([64, 96, 96])]);
    good = await system.goodLabels();
  });
  afterAll(() => system.close());

  const get = async (path: string, key = system.key) => (await system.edge.call('GET', path, { key })).json();

  // Nothing new is stored, nothing is served that was not, and the next good request gets the same bytes.
  afterEach(async () => {
    expect(await get('/v1/adapters')).toMatchObject({ data: [{ adapter: 'hospital/good', latest: 1 }] });
    expect(await get('/v1/adapters', other)).toMatchObject({ data: [] });
    expect((await system.goodLabels()).equals(good)).toBe(true);
  });

  async function makeKey(scopes: Scope[]): Promise<{ id: string; key: string }> {
    const call = { json: { name: 'test', scopes } };
    return keyCreatedSchema.parse(await (await system.edge.call('POST', '/v1/tenants/hospital/keys', call)).json());
  }

  describe.each([
    ['an upload', UPLOAD, () => system.good],
    ['a segmentation', SEGMENT, () => volume],
  ])('%s', (_, path, body) => {
    test('411: sent in chunks, without a length', async () => {
      const call = { key: system.key, body: new Blob([new Uint8Array(body())]).stream() };
      const problem = await problemOf(await system.edge.call('POST', path, call));
      expect(problem).toMatchObject({ status: 411, code: 'length_required' });
    });

    // wrangler's proxy hands a reply on only when it has read the body; that the Worker does not is shown in test/workers.
    test('413: by the length that it announces', async () => {
      const call = { key: system.key, body: new Uint8Array(DIRECT_BODY_MAX_BYTES + 1) };
      expect(await problemOf(await system.edge.call('POST', path, call))).toMatchObject({
        status: 413,
        code: 'too_large',
      });
    });

    test('401: by a key from the moment it is revoked', async () => {
      const { id, key } = await makeKey(['adapters:write', 'segment']);
      await system.edge.call('DELETE', `/v1/tenants/hospital/keys/${id}`);
      const reply = await system.edge.call('POST', path, { key, body: body() });
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
      expect(await problemOf(reply)).toMatchObject({ status: 401, code: 'unauthorized' });
    });

    test('403: by a key without the scope', async () => {
      const { key } = await makeKey(['adapters:read', 'tenant:admin']);
      const reply = await system.edge.call('POST', path, { key, body: body() });
      expect(await problemOf(reply)).toMatchObject({ status: 403, code: 'forbidden' });
    });
  });

  test("404: what is unknown, and what is another tenant's, word for word alike", async () => {
    const refs = ['nothing', 'good', 'hospital/good', 'hospital/good@1', 'hospital/nothing', 'nobody/nothing'];
    const told = new Set<string>();
    for (const ref of refs) {
      const reply = await system.segment(`adapter=${ref}`, volume, other);
      const { request_id: _, ...problem } = await problemOf(reply);
      expect(problem).toMatchObject({ status: 404, code: 'not_found' });
      told.add(JSON.stringify(problem));
    }
    for (const ref of ['good@2', 'good@stable']) {
      expect((await problemOf(await system.segment(`adapter=${ref}`, volume))).code).toBe('not_found');
    }
    expect(told.size).toBe(1);
  });

  test('400: an adapter is named, or nothing runs', async () => {
    for (const query of ['', 'adapter=', 'output=labels']) {
      const problem = await problemOf(await system.segment(query, volume));
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    }
  });

  test('the base runs where it is named, with its own head and no adapter', async () => {
    const reply = await system.segment('adapter=__base__', volume);
    const headers = Object.fromEntries(reply.headers);
    expect(headers).toMatchObject({ 'x-adapter-id': '__base__', 'x-base-digest': system.model.base.baseDigest });
    expect([headers['x-adapter-digest'], headers['x-adapter-version']]).toEqual([undefined, undefined]);
    const ofAdapter = await labelMap(await system.segment('adapter=good', volume));
    expect((await labelMap(reply)).equals(ofAdapter)).toBe(false);
  });

  test("503: a tenant's part of the queue is full, and then it is not", async () => {
    const running = [system.segment('adapter=good', slow), system.segment('adapter=good', slow)];
    const state = async () => (await fetch(`${system.runner().url}/readyz`)).json();
    await expect.poll(state, { timeout: 20_000, interval: 20 }).toMatchObject({ queue: 2 });
    const refused = await system.segment('adapter=good', volume);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'runner_busy' });
    const [first, second] = await Promise.all(running.map(async (reply) => labelMap(await reply)));
    expect(second).toEqual(first);
  });

  test('504: the deadline ends a run that has begun', async () => {
    const start = performance.now();
    const problem = await problemOf(await system.segment('adapter=good&deadline=0.5', slow));
    expect(problem).toMatchObject({ status: 504, code: 'deadline_exceeded' });
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('503 and 409: no runner is there, so that nothing is segmented and nothing becomes ready', async () => {
    await system.runner().kill();
    const refused = await system.segment('adapter=good', volume);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'runner_unavailable' });
    const file = patchManifest(system.good, (manifest) => Object.assign(manifest, { description: 'another' }));
    const call = { key: system.key, body: file };
    expect((await system.edge.call('POST', '/v1/adapters/waiting/versions', call)).status).toBe(201);
    const early = await system.segment('adapter=waiting', volume);
    expect(await problemOf(early)).toMatchObject({ status: 409, code: 'adapter_not_ready' });

    await system.restartRunner();
    expect(await verified(system.edge, system.key, 'waiting')).toMatchObject({ status: 'ready', problems: [] });
    await labelMap(await system.segment('adapter=waiting', volume));
    await system.edge.call('DELETE', '/v1/adapters/waiting', { key: system.key });
  });
});
