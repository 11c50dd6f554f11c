import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeBase } from '../support/safetensors-file.ts';
import { type Edge, startEdge } from './support/edge.ts';
import { type StubRunner, startStubRunner } from './support/stub-runner.ts';

const PROBE_MS = 400;
const path = '/v1/segmentations?adapter=__base__';
const body = randomBytes(1_000);

let runner: StubRunner;
let edge: Edge;
let probes = 0;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url]);
  expect((await edge.call('POST', '/v1/bases', { body: writeBase() })).status).toBe(201);
  runner.readyz = async (_, response) => {
    probes += 1;
    await sleep(PROBE_MS);
    response.writeHead(200).end('{}');
  };
  // What the upload learned of the runner is old by then.
  await sleep(1_200);
});
afterAll(async () => {
  await edge.close();
  await runner.close();
});

test('requests that come at once ask a runner once, and whoever began it may leave', async () => {
  const first = new AbortController();
  const gone = edge.call('POST', path, { body, signal: first.signal });
  gone.catch(() => {});
  await expect.poll(() => probes, { interval: 5 }).toBe(1);
  const others = Promise.all(Array.from({ length: 20 }, () => edge.call('POST', path, { body })));
  await sleep(PROBE_MS / 4);
  first.abort();
  const began = performance.now();
  for (const reply of await others) expect(Buffer.from(await reply.arrayBuffer())).toEqual(body);
  expect(performance.now() - began).toBeLessThan(5 * PROBE_MS);
  expect(probes).toBe(1);
});
