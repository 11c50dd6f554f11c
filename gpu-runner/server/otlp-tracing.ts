import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { TraceContext } from '../../schemas/trace.ts';
import type { Tracing } from './tracing.ts';

const SERVICE = 'pdora-runner';
/** Spans wait here while the collector does not answer; what is beyond is dropped, and no run waits for it. */
const QUEUE_MAX_SPANS = 2048;
const SEND_AFTER_MS = 1_000;

/** As https://opentelemetry.io/docs/specs/otlp/#otlphttp: JSON to `<endpoint>/v1/traces`. Whether a trace is sampled is for its first service to say. */
export function otlpTracing(endpoint: string): Tracing {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  const batches = { exporter, maxQueueSize: QUEUE_MAX_SPANS, scheduledDelayMillis: SEND_AFTER_MS };
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': SERVICE }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor(batches)],
  });
  const tracer = provider.getTracer(SERVICE);

  return {
    begin(name, parent) {
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, contextOf(parent));
      const inside = trace.setSpan(ROOT_CONTEXT, span);
      return {
        traceId: span.spanContext().traceId,
        onPhase(phase, start, end) {
          tracer.startSpan(phase, { startTime: epoch(start) }, inside).end(epoch(end));
        },
        note: (facts) => void span.setAttributes(facts),
        end(outcome) {
          span.setAttribute('pdora.outcome', outcome);
          if (outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
          span.end();
        },
      };
    },
    close: async () => await provider.shutdown().catch(() => {}),
  };
}

function contextOf(parent: TraceContext | null) {
  if (parent === null) return ROOT_CONTEXT;
  const { traceId, parentId: spanId, flags } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  });
}

/** Milliseconds since 1970 of `performance.now()`. */
function epoch(milliseconds: number): number {
  return performance.timeOrigin + milliseconds;
}
