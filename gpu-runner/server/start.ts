import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { ServiceError } from '../../schemas/errors.ts';
import { DEADLINE_ASYNC_MAX_SECONDS } from '../../schemas/limits.ts';
import { loadBase } from '../adapter/base.ts';
import { BaseStore } from '../adapter/base-store.ts';
import { type BlobSource, BlobStore } from '../adapter/blobs.ts';
import { DiskCache } from '../adapter/disk-cache.ts';
import { edgeSource } from '../adapter/edge-source.ts';
import { AdapterStore } from '../adapter/store.ts';
import { hostNetwork } from '../inference/host-network.ts';
import { Segmenter } from '../inference/segment.ts';
import { Semaphore } from '../inference/semaphore.ts';
import { SessionHost } from '../inference/session-host.ts';
import { VolumePool } from '../inference/volume-pool.ts';
import type { Settings } from '../settings.ts';
import { createApp } from './app.ts';
import { Metrics } from './metrics.ts';
import { notReady } from './readiness.ts';
import { Replies } from './replies.ts';
import { residentBytes } from './resident-memory.ts';
import { Runs } from './runs.ts';
import { openTracing } from './tracing.ts';

/** Volumes decoded, prepared or encoded at a time. */
const VOLUMES_AT_A_TIME = 3;
/** Kept in memory, in float32. */
const BASES_MAX = 4;
/** A body may have to wait for memory as long as its run may last; its deadline ends both. */
const REQUEST_TIMEOUT_MS = 1000 * DEADLINE_ASYNC_MAX_SECONDS;
/** For replies on their way when the last run has ended: probabilities are large, and lines slow. */
const FLUSH_MS = 60_000;

export interface Runner {
  readonly url: string;
  /** Process id of the session's child, for operators and tests. */
  readonly childPid: () => number | undefined;
  /** Rejects where the base of the settings cannot be served or no provider runs here. */
  readonly ready: Promise<void>;
  /** Takes no new work, ends what runs, then stops. */
  stop(): Promise<void>;
  /** Stops at once; what runs is cancelled. */
  kill(): Promise<void>;
}

/** Starts a runner: its door is open at once, and it is ready when its session answers and its base is loaded. */
export async function startRunner(settings: Settings, log: Logger): Promise<Runner> {
  const now = Date.now;
  const { providers, threads, memoryBytes, windows, token } = settings;
  const onWindow = (milliseconds: number) => metrics.countWindow(milliseconds);
  const host = new SessionHost({ providers, threads, memoryBytes, log, onWindow });
  const network = hostNetwork(host);
  const volumes = new VolumePool(VOLUMES_AT_A_TIME);
  const disk = await DiskCache.open(settings.cacheDirectory, settings.diskCacheBytes);
  const onDiskFault = (error: unknown) => log.warn({ event: 'disk cache', err: error });
  const blobs = new BlobStore({ source: sourceOf(settings), disk, onDiskFault });
  const bases = new BaseStore({ network, blobs, mostBases: BASES_MAX, now });
  const adapters = new AdapterStore({ bases, blobs, network, capacityBytes: settings.adapterCacheBytes, now });
  const segmenter = new Segmenter({ network: host, volumes, memoryBytes, windows, now });
  const bodies = new Semaphore(memoryBytes);
  const runs = new Runs({ limit: settings.queueLimit, now });
  const tracing = await openTracing(settings.otlpEndpoint);

  let hasLoaded = false;
  const state = { runs, loaded: () => hasLoaded, session: () => host.health() };
  const metrics = new Metrics({
    queueLength: () => runs.length,
    queueAgeMs: () => runs.longestWaitMs,
    cacheBytes: () => ({ compiled: adapters.cache.stats().size, disk: disk.bytes }),
    ready: () => notReady(state) === null,
    sessions: () => host.sessions,
    sessionRestarts: () => host.restarts,
    residentBytes: () => ({
      server: residentBytes(process.pid),
      session: host.childPid === undefined ? null : residentBytes(host.childPid),
    }),
    admittedBytes: () => ({ bodies: bodies.held, volumes: segmenter.admittedBytes }),
  });
  const app = createApp({ token, bases, adapters, segmenter, bodies, metrics, tracing, log, now, ...state });
  const listener = getRequestListener(app.fetch);
  const options = { requestTimeout: REQUEST_TIMEOUT_MS };
  const replies = new Replies();
  const server = createServer(options, (incoming, outgoing) => {
    replies.add(outgoing);
    void listener(incoming, outgoing);
  });
  server.listen(settings.port, settings.host);
  await once(server, 'listening');
  const port = portOf(server);
  log.info({ event: 'listening', port });

  async function load(): Promise<void> {
    const { provider } = await host.ready();
    if (settings.basePath !== null) await bases.add(await loadBase(settings.basePath));
    hasLoaded = true;
    log.info({ event: 'ready', provider, bases: [...bases.values()].map(({ digest }) => digest) });
  }

  async function close(): Promise<void> {
    server.close();
    const flushed = once(server, 'close');
    server.closeAllConnections();
    await flushed;
    await Promise.all([host.close(), volumes.close(), tracing.close()]);
  }

  return {
    url: `http://${settings.host}:${port}`,
    childPid: () => host.childPid,
    ready: load(),
    async stop() {
      log.info({ event: 'stopping', running: runs.length });
      await runs.drain();
      await replies.sent(FLUSH_MS);
      await close();
      log.info({ event: 'stopped' });
    },
    async kill() {
      runs.cancelAll();
      await close();
    },
  };
}

/** The port that a listening server got. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}

function sourceOf({ edgeUrl, token }: Settings): BlobSource {
  if (edgeUrl !== null) return edgeSource({ edgeUrl, token });
  return {
    fetch() {
      throw new ServiceError('not_found', 'This runner has no edge to fetch files from.');
    },
  };
}
