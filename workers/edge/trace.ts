import { parseTraceparent, type TraceContext } from '../../schemas/trace.ts';

const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const SAMPLED = '01';

/** The caller's trace, which the edge passes on as it is, for it sends no spans of its own; a new one where there is none. */
export function traceOf(traceparent: string | null | undefined): TraceContext {
  const started = { traceId: randomHex(TRACE_ID_BYTES), parentId: randomHex(PARENT_ID_BYTES), flags: SAMPLED };
  return parseTraceparent(traceparent) ?? started;
}

function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
