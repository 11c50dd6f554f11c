import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { BaseStore } from '../adapter/base-store.ts';
import type { AdapterStore, ModelLease } from '../adapter/store.ts';
import type { Segmenter } from '../inference/segment.ts';
import type { Semaphore } from '../inference/semaphore.ts';
import type { SessionHealth } from '../inference/session-pulse.ts';
import type { Call } from './headers.ts';
import type { Metrics } from './metrics.ts';
import type { Run, Runs } from './runs.ts';
import type { CallSpan, Tracing } from './tracing.ts';

/** What the routes stand on, wired once by `start.ts`. */
export interface Services {
  readonly token: string;
  readonly runs: Runs;
  readonly bases: BaseStore;
  readonly adapters: AdapterStore;
  readonly segmenter: Segmenter;
  /** Bytes of memory for bodies that are not decoded yet. */
  readonly bodies: Semaphore;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Whether a session answered once and the base of the settings, if any, has been loaded. */
  readonly loaded: () => boolean;
  readonly session: () => SessionHealth;
  readonly tracing: Tracing;
}

export interface RunnerEnv {
  Bindings: HttpBindings;
  Variables: { requestId: string; span: CallSpan };
}

/** The adapter and base of a call, ready until released. Rejects with the run's own reason where it is aborted. */
export async function acquireModel({ adapters }: Services, call: Call, { signal }: Run): Promise<ModelLease> {
  try {
    const { adapter, base } = call;
    return adapter === null
      ? await adapters.acquireBase(base, signal)
      : await adapters.acquire({ ...adapter, base }, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
