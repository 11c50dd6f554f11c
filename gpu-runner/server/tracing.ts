import type { ErrorCode } from '../../schemas/errors.ts';
import type { TraceContext } from '../../schemas/trace.ts';
import type { OnPhase } from '../inference/phase-clock.ts';

/** One call of the edge as a span, and its phases as spans in it. */
export interface CallSpan {
  /** 32 hex digits; null where the caller is in no trace and none is begun here. */
  readonly traceId: string | null;
  readonly onPhase: OnPhase;
  /** What is known of the call by and by: digests and counts, never names or keys. */
  note(facts: Readonly<Record<string, string | number>>): void;
  end(outcome: 'ok' | ErrorCode): void;
}

export interface Tracing {
  /** Begins a call in the caller's trace, or, where it is in none, in a new one. */
  begin(name: string, parent: TraceContext | null): CallSpan;
  /** Sends what was not sent yet. */
  close(): Promise<void>;
}

/** Of a runner that sends no spans: the caller's trace is known to the log alone. */
export const noTracing: Tracing = {
  begin: (_, parent) => ({ traceId: parent?.traceId ?? null, onPhase() {}, note() {}, end() {} }),
  async close() {},
};

/** Spans to a collector's OTLP/HTTP endpoint, such as `http://localhost:4318`; without one, nothing of it is loaded. */
export async function openTracing(endpoint: string | null): Promise<Tracing> {
  if (endpoint === null) return noTracing;
  const { otlpTracing } = await import('./otlp-tracing.ts');
  return otlpTracing(endpoint);
}
