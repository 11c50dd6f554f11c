import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { problemSchema } from '../../schemas/api.ts';
import { writeBase } from '../support/safetensors-file.ts';
import { type Edge, startEdge } from './support/edge.ts';
import { processTree } from './support/memory.ts';
import { echo, promised, refuse, type StubRunner, startStubRunner } from './support/stub-runner.ts';

const LARGE_BYTES = 90_000_000;
const path = '/v1/segmentations?adapter=__base__';
const large = randomBytes(LARGE_BYTES);

let runner: StubRunner;
let edge: Edge;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url]);
  expect((await edge.call('POST', '/v1/bases', { body: writeBase() })).status).toBe(201);
});
beforeEach(() => {
  runner.segment = echo;
});
afterAll(async () => {
  await edge.close();
  await runner.close();
});

const segment = (body: Uint8Array = large) => edge.call('POST', path, { body });

async function expectServing(): Promise<void> {
  const small = randomBytes(1_000);
  expect(Buffer.from(await (await segment(small)).arrayBuffer())).toEqual(small);
}

/** What workerd's processes under this one hold in memory. */
function workerdMebibytes(): number {
  const found = processTree(process.pid).filter((one) => one.name === 'workerd');
  expect(found).not.toEqual([]);
  return found.reduce((total, one) => total + one.residentMiB, 0);
}

test('90 MB go through byte for byte, four at once, and the edge holds none of them', async () => {
  await expectServing();
  const before = workerdMebibytes();
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, workerdMebibytes());
  }, 50);
  const wanted = createHash('sha256').update(large).digest('hex');
  const digests = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const reply = await segment();
      expect(reply.headers.get('content-length')).toBe(String(LARGE_BYTES));
      const hash = createHash('sha256');
      for await (const chunk of reply.body ?? []) hash.update(chunk);
      return hash.digest('hex');
    }),
  );
  clearInterval(watching);
  expect(digests).toEqual([wanted, wanted, wanted, wanted]);
  expect(most - before).toBeLessThan(128);
});

test('a runner that refuses before it has read the body is heard', async () => {
  runner.segment = refuse;
  const reply = await segment();
  expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 422, code: 'invalid_volume' });
  runner.segment = echo;
  await expectServing();
});

test('a runner that breaks the connection while the body comes is a 503', async () => {
  runner.segment = (request) => request.once('data', () => request.socket.destroy());
  const reply = await segment();
  expect(reply.headers.get('retry-after')).not.toBeNull();
  expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 503, code: 'runner_unavailable' });
  runner.segment = echo;
  await expectServing();
});

test('a reply that breaks off never passes for a whole one', async () => {
  runner.segment = (request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { ...promised(request), 'content-length': '1000' });
      response.write(Buffer.alloc(10), () => request.socket.destroy());
    });
  };
  const reply = segment(Buffer.alloc(100)).then((answer) => answer.arrayBuffer());
  await expect(reply).rejects.toThrow();
  runner.segment = echo;
  await expectServing();
});

test('a caller that breaks off while it sends ends the call at the runner', async () => {
  const caller = new AbortController();
  const ended = new Promise<void>((resolve) => {
    runner.segment = (request, response) => {
      response.once('close', resolve);
      request.once('data', () => caller.abort());
    };
  });
  await expect(edge.call('POST', path, { body: large, signal: caller.signal })).rejects.toThrow(/abort/i);
  await ended;
  runner.segment = echo;
  await expectServing();
});

test.each([
  ['401', 401, { key: 'wrong' }, large],
  ['413', 413, {}, Buffer.alloc(95_000_001)],
])('a large body that is refused unread is answered all the same: %s', async (_, status, call, body) => {
  const reply = await edge.call('POST', path, { ...call, body });
  expect(problemSchema.parse(await reply.json()).status).toBe(status);
  await expectServing();
});

test('a large upload that breaks a rule in its first bytes is answered, with the problems', async () => {
  const reply = await edge.call('POST', '/v1/bases', { body: large });
  expect(problemSchema.parse(await reply.json())).toMatchObject({ status: 422, code: 'invalid_base' });
  await expectServing();
});
