import type { TraceContext } from '../../schemas/trace.ts';

/** One JSON line an event, with the request and the trace that it belongs to; never names of files, keys or image data. */
export interface Log {
  warn(event: string, error: unknown, facts?: Facts): void;
  error(event: string, error: unknown, facts?: Facts): void;
}

/** What else is known: ids and digests. A `trace` takes the place of the one that the log is for. */
export type Facts = Readonly<Record<string, string>>;

export function consoleLog(request: string, { traceId }: TraceContext): Log {
  const line = (level: 'warn' | 'error', event: string, error: unknown, facts: Facts | undefined) =>
    JSON.stringify({ level, event, request, trace: traceId, ...facts, error: String(error), stack: stackOf(error) });
  return {
    warn: (event, error, facts) => console.warn(line('warn', event, error, facts)),
    error: (event, error, facts) => console.error(line('error', event, error, facts)),
  };
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
