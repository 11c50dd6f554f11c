import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keyCreatedSchema, problemSchema } from '../../schemas/api.ts';
import { writeBase } from '../support/safetensors-file.ts';
import { type Call, type Edge, startEdge } from './support/edge.ts';
import { echo, promised, type StubRunner, startStubRunner } from './support/stub-runner.ts';

const path = '/v1/segmentations?adapter=__base__';
const large = randomBytes(90_000_000);
const small = randomBytes(1_000);

let runner: StubRunner;
let edge: Edge;
let tenant: string;
let key: string;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url]);
  expect((await edge.call('POST', '/v1/bases', { body: writeBase() })).status).toBe(201);
});
// A tenant of its own for each, so that a slot which one test leaves behind fails that test alone.
beforeEach(async () => {
  runner.segment = echo;
  tenant = `clinic-${randomBytes(4).toString('hex')}`;
  expect((await edge.call('POST', '/v1/tenants', { json: { id: tenant } })).status).toBe(201);
  const created = await edge.call('POST', `/v1/tenants/${tenant}/keys`, { json: { name: 'k', scopes: ['segment'] } });
  ({ key } = keyCreatedSchema.parse(await created.json()));
  await atOnce(1);
});
afterAll(async () => {
  await edge.close();
  await runner.close();
});

async function atOnce(count: number): Promise<void> {
  const reply = await edge.call('PUT', `/v1/tenants/${tenant}/quota`, { json: { segmentations_at_once: count } });
  expect(reply.status).toBe(200);
}

const segment = (call: Call = {}) => edge.call('POST', path, { key, body: small, ...call });

/** A slot that is given back is so at once, not with the deadline of the call that had it, which is 90 s. */
async function expectFree(): Promise<void> {
  runner.segment = echo;
  await expect
    .poll(
      async () => {
        const reply = await segment();
        await reply.arrayBuffer();
        return reply.status;
      },
      { timeout: 20_000 },
    )
    .toBe(200);
}

test('a label map of 90 MB comes byte for byte while its slot is held, and the slot is free after', async () => {
  await atOnce(2);
  const wanted = createHash('sha256').update(large).digest('hex');
  await Promise.all(
    [1, 2].map(async () => {
      const reply = await segment({ body: large });
      expect(reply.headers.get('content-length')).toBe(String(large.byteLength));
      const hash = createHash('sha256');
      for await (const chunk of reply.body ?? []) hash.update(chunk);
      expect(hash.digest('hex')).toBe(wanted);
    }),
  );
  await expectFree();
});

test('a large body over the limit is answered, with the time to wait', async () => {
  const { promise: asked, resolve: seen } = Promise.withResolvers<() => void>();
  runner.segment = (request, response) => seen(() => echo(request, response));
  const first = segment();
  const answer = await asked;
  const reply = await segment({ body: large });
  expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 429, code: 'quota_exceeded' });
  expect(reply.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
  answer();
  expect(Buffer.from(await (await first).arrayBuffer())).toEqual(small);
  await expectFree();
});

test('a caller that breaks off while it sends gives its slot back', async () => {
  const caller = new AbortController();
  runner.segment = (request) => request.once('data', () => caller.abort());
  await expect(segment({ body: large, signal: caller.signal })).rejects.toThrow(/abort/i);
  await expectFree();
});

test.each([{ 'content-length': '1000' }, {}])(
  'a label map that breaks off never passes for a whole one: %j',
  async (headers) => {
    runner.segment = (request, response) => {
      request.resume().once('end', () => {
        response.writeHead(200, { ...promised(request), ...headers });
        response.write(Buffer.alloc(10), () => request.socket.destroy());
      });
    };
    await expect(segment().then((reply) => reply.arrayBuffer())).rejects.toThrow();
    await expectFree();
  },
);
