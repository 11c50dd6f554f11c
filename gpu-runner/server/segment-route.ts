import type { Context } from 'hono';
import { CONTENT_TYPE } from '../../schemas/answer-formats.ts';
import { writeReport } from '../../schemas/report.ts';
import { PHASES, type Timings } from '../inference/phase-clock.ts';
import { asRun } from './admission.ts';
import { readImages } from './body.ts';
import { bodySize } from './body-size.ts';
import { readCall } from './headers.ts';
import { acquireModel, type RunnerEnv, type Services } from './services.ts';

/** `POST /segment`: volumes in, a label map or probabilities out. */
export async function segmentRoute(c: Context<RunnerEnv>, services: Services): Promise<Response> {
  const call = readCall(c.req.raw.headers, services.now());
  return await asRun(c, services, call, async (run) => {
    const { incoming } = c.env;
    const { bodies, segmenter } = services;
    const { signal, onProgress, tenant } = run;
    const { span } = c.var;
    span.note({ 'pdora.run': run.id, 'pdora.base': call.base.digest, 'pdora.adapter': call.adapter?.digest ?? '' });
    const size = bodySize(incoming.headers, bodies.capacity);
    // Before the body, which may have to wait for others to be decoded: a grant is good for minutes.
    const fetching = performance.now();
    const model = await acquireModel(services, call, run);
    const fetched = performance.now();
    span.onPhase('fetch', fetching, fetched);
    let letGo: (() => void) | undefined;
    try {
      const { base, adapter, tier } = model;
      const { output, format } = call;
      letGo = await bodies.acquire(tenant, size.heldBytes, signal);
      const admitted = performance.now();
      span.onPhase('queue', fetched, admitted);
      const images = await readImages(incoming, size, signal);
      const { body, voxels, windows, report, ...done } = await segmenter.segment({
        runId: run.id,
        tenant,
        deadline: call.deadline,
        images,
        base,
        adapter,
        output,
        format,
        signal,
        onProgress,
        onDecoded: letGo,
        onPhase: span.onPhase,
      });
      const queue = done.timings.queue + admitted - fetched;
      const timings = { ...done.timings, queue, fetch: fetched - fetching };
      services.metrics.countSegmentation({ adapter: adapter?.digest ?? null, tier, timings });
      span.note({ 'pdora.tier': tier, 'pdora.windows': windows });
      services.log.info({
        event: 'segmented',
        request: c.var.requestId,
        trace: span.traceId,
        run: run.id,
        tenant: call.tenant,
        adapter: adapter?.digest ?? null,
        base: base.digest,
        tier,
        windows,
        milliseconds: rounded(timings),
      });
      return c.body(body, 200, {
        'content-type': CONTENT_TYPE[format],
        'content-length': String(body.byteLength),
        'x-base-digest': base.digest,
        'x-adapter-cache': tier,
        'x-voxels': String(voxels),
        'x-report': writeReport(report),
        'server-timing': serverTiming(timings),
        ...(adapter === null ? {} : { 'x-adapter-digest': adapter.digest }),
      });
    } finally {
      letGo?.();
      model.release();
    }
  });
}

function serverTiming(timings: Timings): string {
  return PHASES.map((phase) => `${phase};dur=${timings[phase].toFixed(1)}`).join(', ');
}

function rounded(timings: Timings): Record<string, number> {
  return Object.fromEntries(PHASES.map((phase) => [phase, Math.round(timings[phase])]));
}
