/** Where a call belongs in a trace, as `traceparent` says it: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** The span that the call was made in, 16 hex digits. */
  readonly parentId: string;
  /** Two hex digits; the lowest bit is `sampled`. */
  readonly flags: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;

/** What a header says; null where it is absent or not valid, which starts a new trace. Of later versions the first four fields. */
export function parseTraceparent(header: string | null | undefined): TraceContext | null {
  const [, version = 'ff', traceId = '', parentId = '', flags = '', more] = TRACEPARENT.exec(header ?? '') ?? [];
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(parentId)) return null;
  return { traceId, parentId, flags };
}

export function traceparentOf({ traceId, parentId, flags }: TraceContext): string {
  return `00-${traceId}-${parentId}-${flags}`;
}
