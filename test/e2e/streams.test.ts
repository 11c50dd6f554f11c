import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { problemSchema } from '../../schemas/api.ts';
import { jobCreatedSchema, jobSchema } from '../../schemas/api-jobs.ts';
import { DIRECT_BODY_MAX_BYTES } from '../../schemas/limits.ts';
import { exchange } from '../support/exchange.ts';
import { writeBase } from '../support/safetensors-file.ts';
import { type Edge, SECRETS, startEdge } from './support/edge.ts';
import { ISOLATE_MAX_MIB, mostHeldDuring } from './support/heap.ts';
import { processTree } from './support/memory.ts';
import { echo, promised, refuse, type StubRunner, startStubRunner } from './support/stub-runner.ts';

const LARGE_BYTES = DIRECT_BODY_MAX_BYTES;
const AT_ONCE = 8;
const GROWTH_MAX_MIB = 128;
const path = '/v1/segmentations?adapter=__base__';
const large = randomBytes(LARGE_BYTES);
const digest = createHash('sha256').update(large).digest('hex');

let runner: StubRunner;
let edge: Edge;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url], undefined, { inspect: true });
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

/** By how many MiB workerd grew at most while `work` ran. */
async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = workerdMebibytes();
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, workerdMebibytes());
  }, 50);
  await work().finally(() => clearInterval(watching));
  return Math.max(most, workerdMebibytes()) - before;
}

/** A call of the operator over a connection of its own, and the digest and text of what comes back. */
async function hashed(method: string, to: string, body?: Uint8Array, headers: Record<string, string> = {}) {
  const hash = createHash('sha256');
  const first: Buffer[] = [];
  const sent = { method, headers: { ...headers, authorization: `Bearer ${SECRETS.ADMIN_KEY}` } };
  const received = await exchange(new URL(to, edge.url), body === undefined ? sent : { ...sent, body }, (chunk) => {
    hash.update(chunk);
    if (first.length === 0) first.push(chunk);
  });
  return { ...received, digest: hash.digest('hex'), text: Buffer.concat(first).toString() };
}

const timesAtOnce = (work: () => Promise<void>) => Promise.all(Array.from({ length: AT_ONCE }, work));

test('95 MB go through byte for byte, eight at once, and the edge holds none of them', async () => {
  await expectServing();
  const grown = await growthDuring(() =>
    timesAtOnce(async () => expect(await hashed('POST', path, large)).toMatchObject({ status: 200, digest })),
  );
  expect(grown).toBeLessThan(GROWTH_MAX_MIB);
});

/** Has a volume segmented later and fetches the result. */
async function segmentLater(body: Uint8Array): Promise<string> {
  const taken = await hashed('POST', path, body, { prefer: 'respond-async' });
  expect(taken.status).toBe(202);
  const { id } = jobCreatedSchema.parse(JSON.parse(taken.text));
  for (let status = 'queued'; status !== 'succeeded'; ) {
    expect(['queued', 'running']).toContain(status);
    await sleep(200);
    ({ status } = jobSchema.parse(JSON.parse((await hashed('GET', `/v1/segmentations/${id}`)).text)));
  }
  const result = await hashed('GET', `/v1/segmentations/${id}/result`);
  expect(result.status).toBe(200);
  return result.digest;
}

test('95 MB are taken in for later, eight at once, and their results fetched, and the edge holds none of them', async () => {
  if (edge.inspector === undefined) throw new Error('no inspector');
  // Its own isolate: what stands in for R2 lives in the same workerd, and keeps as much for a while.
  const most = await mostHeldDuring(edge.inspector, () =>
    timesAtOnce(async () => expect(await segmentLater(large)).toBe(digest)),
  );
  expect(most).toBeLessThan(ISOLATE_MAX_MIB);
}, 400_000);

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
