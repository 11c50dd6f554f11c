import { onTestFinished } from 'vitest';
import { SessionHost, type SessionHostOptions } from '../../gpu-runner/inference/session-host.ts';
import type { RunRequest } from '../../gpu-runner/inference/session-types.ts';
import { selftestInput } from '../../schemas/selftest.ts';
import { count, hashedBase, SMALL, SMALL_WINDOW } from './network.ts';

export interface LogLine {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: object;
}

/** A host of the small network on the CPU, with its log; both end with the test. */
export async function smallHost(options: Partial<SessionHostOptions> = {}) {
  const lines: LogLine[] = [];
  const log = {
    info: (fields: object, message: string) => void lines.push({ level: 'info', message, fields }),
    warn: (fields: object, message: string) => void lines.push({ level: 'warn', message, fields }),
  };
  const host = new SessionHost({ providers: ['cpu'], threads: 1, log, ...options });
  onTestFinished(async () => await host.close());
  const base = hashedBase(SMALL);
  await host.registerBase(base);
  return { host, lines, base };
}

/** A run of the base over `windows` windows side by side. */
export function smallRun(windows: number, changes: Partial<RunRequest> = {}): RunRequest {
  const [i, j, k] = SMALL_WINDOW;
  const shape = [i, j, k * windows] as const;
  return {
    runId: 'run',
    base: 'sha256:small',
    window: SMALL_WINDOW,
    overlap: 0,
    blend: 'constant',
    adapter: null,
    volume: selftestInput(count(shape)),
    channels: 1,
    classes: 2,
    shape,
    decision: { kind: 'logits' },
    ...changes,
  };
}
