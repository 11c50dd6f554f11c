import { beforeEach, describe, expect, test } from 'vitest';
import { type RunReport, readReport, writeReport } from '../../schemas/report.ts';
import { deliver, edge, problem } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { submitted, VOLUME } from './support/jobs.ts';
import { labelMap, refusal } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const label = { value: 1, name: 'tumeur étendue', voxels: 12, volume_ml: 0.012, components: 2 };
const REPORT: RunReport = {
  labels: [{ ...label, mean_probability: 0.9, mean_entropy: 0.2 }],
  omitted: 0,
  warnings: [{ code: 'spacing', channel: null, message: 'voxels of 9 mm' }],
};
const call = (query: string) =>
  edge('POST', `/v1/segmentations?adapter=tumour${query}`, { key: world.key, body: VOLUME });
const reportOf = (id: string, key = world.key) => edge('GET', `/v1/segmentations/${id}/report`, { key });

beforeEach(async () => {
  await push(world.key, 'tumour', file);
  world.runner.segment = (headers) => labelMap(headers, { 'x-report': writeReport(REPORT) });
});

describe('the report of a job', () => {
  test('is there once it has succeeded, with versions and times, and goes with it', async () => {
    const id = await submitted(world.key);
    expect(await problem(await reportOf(id))).toMatchObject({ status: 409, code: 'conflict' });
    await deliver();
    const reply = await reportOf(id);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ ...REPORT, id, adapter: 'acme/tumour', adapter_digest: sha256(file) });
    expect((await reportOf(id, world.other)).status).toBe(404);
    await edge('DELETE', `/v1/segmentations/${id}`, { key: world.key });
    expect((await reportOf(id)).status).toBe(404);
  });

  test('is not there where the job failed, or a runner told none that can be read', async () => {
    world.runner.segment = () => refusal(422, 'invalid_volume');
    const failed = await submitted(world.key);
    await deliver();
    expect(await problem(await reportOf(failed))).toMatchObject({ status: 409, code: 'conflict' });
    world.runner.segment = (headers) => labelMap(headers, { 'x-report': 'bm8=' });
    const without = await submitted(world.key);
    await deliver();
    expect(await problem(await reportOf(without))).toMatchObject({ status: 404, code: 'not_found' });
  });
});

test('a synchronous reply has it where it is asked for, and only there', async () => {
  expect(readReport((await call('&report=true')).headers.get('x-report'))).toEqual(REPORT);
  expect((await call('')).headers.has('x-report')).toBe(false);
  expect(await problem(await call('&report=maybe'))).toMatchObject({ status: 400, code: 'invalid_request' });
});

test('a report with more labels than a header takes says how many are missing', () => {
  const labels = Array.from({ length: 300 }, (_, n) => ({
    ...label,
    value: n + 1,
    mean_probability: 0.5,
    mean_entropy: 0,
  }));
  const text = writeReport({ ...REPORT, labels });
  expect(text.length).toBeLessThanOrEqual(8192);
  const read = readReport(text);
  expect(read?.labels.length).toBeGreaterThan(20);
  expect((read?.labels.length ?? 0) + (read?.omitted ?? 0)).toBe(300);
  expect(readReport('A'.repeat(8193))).toBeNull();
});
