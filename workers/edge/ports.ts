import type { TraceContext } from '../../schemas/trace.ts';
import { cloudflareQueue } from './cloudflare-queue.ts';
import type { JobQueue } from './job-queue.ts';
import { durableLimiter } from './limits/durable-limiter.ts';
import type { Limiter } from './limits/limiter.ts';
import { consoleLog, type Log } from './log.ts';
import { emptyMemory } from './runners/health.ts';
import { RunnerPool } from './runners/pool.ts';
import type { RunnerClient } from './runners/runner-client.ts';
import { readSettings, type Settings } from './settings.ts';
import type { BlobStore } from './store/blob-store.ts';
import type { Catalogue } from './store/catalogue.ts';
import { d1Catalogue } from './store/d1/catalogue.ts';
import type { MultipartStore } from './store/multipart-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { r2BlobStore } from './store/r2-blob-store.ts';
import { r2Multipart } from './store/r2-multipart.ts';
import { r2ObjectStore } from './store/r2-object-store.ts';
import { traceOf } from './trace.ts';

/** What the services stand on; the clock is one of them. */
export interface Ports {
  readonly catalogue: Catalogue;
  readonly blobs: BlobStore;
  /** Bodies that live for a while: inputs and results of jobs. */
  readonly objects: ObjectStore;
  readonly queue: JobQueue;
  readonly multiparts: MultipartStore;
  readonly runner: RunnerClient;
  readonly limiter: Limiter;
  readonly settings: Settings;
  /** Of the request, or of the cron's or queue's turn, that this work belongs to. */
  readonly requestId: string;
  /** The same, for whoever watches calls from end to end. */
  readonly trace: TraceContext;
  readonly log: Log;
  now(): number;
  /** Work that goes on after the reply; what it throws goes to the log. */
  later(work: Promise<unknown>): void;
}

const now = () => Date.now();
/** Of this isolate, whichever request it works on. */
export const runnersSeen = emptyMemory();

/** Wires the ports of one request from the Worker's bindings. */
export function portsOf(
  env: Env,
  context: Pick<ExecutionContext, 'waitUntil'>,
  requestId: string = crypto.randomUUID(),
  trace: TraceContext = traceOf(null),
): Ports {
  const settings = readSettings(env);
  const { RUNNERS: vpc } = env;
  const log = consoleLog(requestId, trace);
  const later = (work: Promise<unknown>) =>
    context.waitUntil(work.catch((error: unknown) => log.error('after the reply', error)));
  return {
    settings,
    requestId,
    trace,
    log,
    catalogue: d1Catalogue(env.DB, settings),
    blobs: r2BlobStore(env.BLOBS),
    objects: r2ObjectStore(env.BLOBS),
    multiparts: r2Multipart(env.BLOBS),
    queue: cloudflareQueue(env.JOBS),
    runner: new RunnerPool({
      urls: settings.runnerUrls,
      token: settings.runnerToken,
      fetch: vpc === undefined ? (input, init) => fetch(input, init) : (input, init) => vpc.fetch(input, init),
      memory: runnersSeen,
      now,
      later,
    }),
    limiter: durableLimiter({ objects: env.TENANT_LIMITS, burst: env.BURST, log }),
    now,
    later,
  };
}
