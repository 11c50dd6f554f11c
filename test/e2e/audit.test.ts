import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageOf } from '../../schemas/api.ts';
import { auditEntrySchema } from '../../schemas/api-audit.ts';
import { writeBase } from '../support/safetensors-file.ts';
import { type Edge, startEdge } from './support/edge.ts';
import { promised, type StubRunner, startStubRunner } from './support/stub-runner.ts';

const path = '/v1/segmentations?adapter=__base__';

let runner: StubRunner;
let edge: Edge;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url]);
  expect((await edge.call('POST', '/v1/bases', { body: writeBase() })).status).toBe(201);
});
afterAll(async () => {
  await edge.close();
  await runner.close();
});

const pageSchema = pageOf(auditEntrySchema);

/** All lines, the newest first. */
async function lines() {
  return pageSchema.parse(await (await edge.call('GET', '/v1/audit')).json()).data;
}

/** The outcomes of all segmentations, the oldest first, once there are so many. */
async function outcomes(count: number): Promise<string[]> {
  for (let wait = 0; wait < 100; wait++) {
    const found = (await lines()).filter(({ action }) => action === 'segmentation.run').map(({ outcome }) => outcome);
    if (found.length >= count) return found.toReversed();
    await sleep(100);
  }
  throw new Error(`the line never came: ${JSON.stringify(await lines())}`);
}

test('whatever becomes of the connection, each segmentation has one line', async () => {
  expect((await edge.call('POST', path, { body: randomBytes(1_000) })).status).toBe(200);

  const sending = new AbortController();
  runner.segment = (request) => request.once('data', () => sending.abort());
  const cut = edge.call('POST', path, { body: randomBytes(30_000_000), signal: sending.signal });
  await expect(cut).rejects.toThrow(/abort/i);
  expect(await outcomes(2)).toEqual(['ok', 'cancelled']);

  const waiting = new AbortController();
  runner.segment = (request) => request.resume().once('end', () => waiting.abort());
  const left = edge.call('POST', `${path}&deadline=1`, { body: randomBytes(1_000), signal: waiting.signal });
  await expect(left).rejects.toThrow(/abort/i);
  // What stands before workerd here may keep to itself that a caller left which had sent everything.
  expect((await outcomes(3))[2]).toMatch(/^(cancelled|deadline_exceeded)$/);

  runner.segment = (request) => request.once('data', () => request.socket.destroy());
  expect((await edge.call('POST', path, { body: randomBytes(1_000) })).status).toBe(503);
  expect((await outcomes(4))[3]).toBe('runner_unavailable');

  runner.segment = (request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { ...promised(request), 'x-voxels': '4096' });
      response.end('a label map');
    });
  };
  expect((await edge.call('POST', path, { body: randomBytes(1_000) })).status).toBe(200);
  expect((await lines())[0]).toMatchObject({
    action: 'segmentation.run',
    actor: 'operator',
    outcome: 'ok',
    voxels: 4096,
  });
  expect(await outcomes(5)).toHaveLength(5);
});
