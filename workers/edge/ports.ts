import { HttpRunnerClient, type RunnerClient } from './runner-client.ts';
import { readSettings, type Settings } from './settings.ts';
import type { BlobStore } from './store/blob-store.ts';
import type { Catalogue } from './store/catalogue.ts';
import { d1Catalogue } from './store/d1/catalogue.ts';
import type { MultipartStore } from './store/multipart-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { r2BlobStore } from './store/r2-blob-store.ts';
import { r2Multipart } from './store/r2-multipart.ts';
import { r2ObjectStore } from './store/r2-object-store.ts';

/** What the services stand on; the clock is one of them. */
export interface Ports {
  readonly catalogue: Catalogue;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly multiparts: MultipartStore;
  readonly runner: RunnerClient;
  readonly settings: Settings;
  /** Of the request, or of the cron's or queue's turn, that this work belongs to. */
  readonly requestId: string;
  now(): number;
  /** Work that goes on after the reply. */
  later(work: Promise<unknown>): void;
}

/** Wires the ports of one request from the Worker's bindings. */
export function portsOf(
  env: Env,
  context: Pick<ExecutionContext, 'waitUntil'>,
  requestId: string = crypto.randomUUID(),
): Ports {
  const settings = readSettings(env);
  const { RUNNER: vpc } = env;
  return {
    settings,
    requestId,
    catalogue: d1Catalogue(env.DB),
    blobs: r2BlobStore(env.BLOBS),
    objects: r2ObjectStore(env.BLOBS),
    multiparts: r2Multipart(env.BLOBS),
    runner: new HttpRunnerClient({
      url: settings.runnerUrl,
      token: settings.runnerToken,
      fetch: vpc === undefined ? (input, init) => fetch(input, init) : (input, init) => vpc.fetch(input, init),
    }),
    now: () => Date.now(),
    later: (work) => context.waitUntil(work),
  };
}
