import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PHASES } from '../../gpu-runner/inference/phase-clock.ts';
import { noiseVolume } from '../support/small-model.ts';
import { type CollectedSpan, type Collector, startCollector } from './support/collector.ts';
import { endOf, submitJob } from './support/jobs.ts';
import { processTree } from './support/memory.ts';
import { labelMap, problemOf, type SmallSystem, startSmallSystem } from './support/small-system.ts';

const PARENT = '00f067aa0ba902b7';
/** Ten seconds, as docs/operation.md says, and the second that the edge believes what it was told. */
const SEEN_MS = 11_000;

let collector: Collector;
let system: SmallSystem;
let volume: Uint8Array;

beforeAll(async () => {
  collector = await startCollector();
  system = await startSmallSystem({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  volume = await noiseVolume([24, 28, 40]);
});
afterAll(async () => {
  await system.close();
  await collector.close();
});

/** The spans of a trace, once the call itself is among them; a collector gets them a moment later. */
async function spansOf(traceId: string): Promise<CollectedSpan[]> {
  const found = () => collector.spans.filter((span) => span.traceId === traceId);
  const names = () => found().map(({ name }) => name);
  await expect.poll(names, { timeout: 10_000, interval: 100 }).toContain('segment');
  return found();
}

function expectWhole(spans: readonly CollectedSpan[]): void {
  const [call, ...others] = spans.filter(({ name }) => name === 'segment');
  if (call === undefined) throw new Error('the call is there');
  expect(others).toEqual([]);
  expect(call.parentSpanId).toBe(PARENT);
  const phases = spans.filter((span) => span !== call);
  expect(new Set(phases.map(({ name }) => name))).toEqual(new Set(PHASES));
  for (const phase of phases) {
    expect(phase.parentSpanId).toBe(call.spanId);
    expect(phase.startTimeUnixNano).toBeLessThanOrEqual(phase.endTimeUnixNano);
  }
}

test('one segmentation is one trace, from the caller through edge and runner to each phase', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { traceparent: `00-${traceId}-${PARENT}-01` };
  const reply = await system.edge.call('POST', '/v1/segmentations?adapter=good', {
    key: system.key,
    body: volume,
    headers,
  });
  await labelMap(reply);
  const spans = await spansOf(traceId);
  expectWhole(spans);
  const call = spans.find(({ name }) => name === 'segment');
  const attributes = Object.fromEntries((call?.attributes ?? []).map(({ key, value }) => [key, value.stringValue]));
  expect(attributes).toMatchObject({
    'pdora.adapter': reply.headers.get('x-adapter-digest'),
    'pdora.base': reply.headers.get('x-base-digest'),
    'pdora.outcome': 'ok',
  });
});

test('so is an asynchronous one', async () => {
  const traceId = '5bf92f3577b34da6a3ce929d0e0e4737';
  const job = await submitJob(system.edge, system.key, 'good', volume, {
    traceparent: `00-${traceId}-${PARENT}-01`,
  });
  await endOf(system.edge, system.key, job, Date.now() + 60_000);
  expectWhole(await spansOf(traceId));
});

test('what the caller does not have sampled is not sent', async () => {
  const traceId = '6bf92f3577b34da6a3ce929d0e0e4738';
  const headers = { traceparent: `00-${traceId}-${PARENT}-00` };
  const call = { key: system.key, body: volume, headers };
  await labelMap(await system.edge.call('POST', '/v1/segmentations?adapter=good', call));
  // What was sent later has come, so this would have, too.
  const later = '7bf92f3577b34da6a3ce929d0e0e4739';
  const sampled = { traceparent: `00-${later}-${PARENT}-01` };
  await labelMap(await system.edge.call('POST', '/v1/segmentations?adapter=good', { ...call, headers: sampled }));
  await spansOf(later);
  expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([]);
});

test('a runner whose session stands still is not ready and passed over, and ready again when it goes on', async () => {
  const { url, pid } = system.runner();
  const session = processTree(pid).find(({ parent }) => parent === pid)?.pid ?? 0;
  expect(readFileSync(`/proc/${session}/cmdline`, 'utf8')).toContain('session-child');
  const readyz = async () => (await fetch(new URL('/readyz', url))).status;
  process.kill(session, 'SIGSTOP');
  try {
    await expect.poll(readyz, { timeout: SEEN_MS, interval: 200 }).toBe(503);
    expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    await expect
      .poll(async () => (await system.segment('adapter=good', volume)).status, { timeout: 10_000, interval: 500 })
      .toBe(503);
    const refused = await problemOf(await system.segment('adapter=good', volume));
    expect(refused.code).toBe('runner_unavailable');
  } finally {
    process.kill(session, 'SIGCONT');
  }
  await expect.poll(readyz, { timeout: SEEN_MS, interval: 100 }).toBe(200);
  await expect
    .poll(async () => (await system.segment('adapter=good', volume)).status, { timeout: 10_000, interval: 500 })
    .toBe(200);
});
