import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { healthSchema } from '../../schemas/api.ts';
import { Client } from '../client.ts';
import { pushBase } from '../commands/base.ts';
import { CliError } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { projectPath } from '../root.ts';
import { migrate } from './migrate.ts';
import { checkFree } from './ports.ts';
import type { DevSecrets } from './secrets.ts';
import { Service } from './service.ts';

export interface SystemOptions {
  readonly port: number;
  /** One for each runner. */
  readonly runnerPorts: readonly number[];
  readonly state: string;
  /** The base that edge and runner begin with. */
  readonly base: string;
  readonly secrets: DevSecrets;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface System {
  readonly url: string;
  /** A client with the admin key. */
  readonly admin: Client;
  readonly baseDigest: string;
  stop(): Promise<void>;
}

const START_MOST_MS = 120_000;
const POLL_MS = 100;

/** Local from end to end: no telemetry, no look-ups. */
const OFFLINE = { CLOUDFLARE_CF_FETCH_ENABLED: 'false', WRANGLER_SEND_METRICS: 'false', NO_UPDATE_NOTIFIER: '1' };

/** Starts edge and runners, gives the edge its base, and returns once a segmentation would be served. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { port, runnerPorts, state, base, secrets, log, signal } = options;
  await checkInputFile(base);
  await checkFree(port, 'PDORA_PORT');
  for (const runnerPort of runnerPorts) await checkFree(runnerPort, 'PDORA_RUNNER_PORT');
  const url = `http://127.0.0.1:${port}`;
  const edgeState = join(state, 'edge');
  // What a killed runner could not clear away goes at the next start.
  const scratch = join(state, 'scratch');
  await rm(scratch, { recursive: true, force: true });
  for (const folder of [edgeState, scratch]) await mkdir(folder, { recursive: true });
  const env = { ...process.env, ...OFFLINE };

  const runners = runnerPorts.map((runnerPort, n) => {
    const name = runnerPorts.length === 1 ? 'runner' : `runner-${n + 1}`;
    return new Service({
      name,
      script: projectPath('gpu-runner', 'main.ts'),
      env: {
        MALLOC_ARENA_MAX: '2',
        ...env,
        PDORA_RUNNER_PORT: String(runnerPort),
        PDORA_RUNNER_TOKEN: secrets.runnerToken,
        PDORA_EDGE_URL: url,
        PDORA_BASE: base,
        PDORA_CACHE_DIR: join(state, `runner-cache-${n + 1}`),
        TMPDIR: scratch,
      },
      log,
    });
  });
  const edge = new Service({
    name: 'edge',
    script: projectPath('cli', 'dev', 'edge.ts'),
    env: {
      ...env,
      PDORA_EDGE_PORT: String(port),
      PDORA_EDGE_STATE: edgeState,
      ADMIN_KEY: secrets.adminKey,
      KEY_PEPPER: secrets.keyPepper,
      GRANT_SECRET: secrets.grantSecret,
      RUNNER_TOKEN: secrets.runnerToken,
      GPU_RUNNER_URLS: runnerPorts.map((runnerPort) => `http://127.0.0.1:${runnerPort}`).join(','),
    },
    log,
  });
  const stop = async (): Promise<void> => {
    await Promise.all([edge, ...runners].map((service) => service.stop()));
  };
  try {
    for (const runner of runners) runner.start();
    await migrate(edgeState, env);
    signal.throwIfAborted();
    edge.start();
    const admin = new Client(url, secrets.adminKey);
    const until = AbortSignal.any([signal, AbortSignal.timeout(START_MOST_MS)]);
    await untilRunnersReady(admin, until);
    const { digest } = await pushBase(admin, base);
    return { url, admin, baseDigest: digest, stop };
  } catch (error) {
    await stop();
    if (signal.aborted || !(error instanceof Error && error.name === 'TimeoutError')) throw error;
    throw new CliError('not_ready', `edge and runners were not ready within ${START_MOST_MS / 1000} s`);
  }
}

/** Asks the edge for its health until every runner is ready behind it; the base, which health asks for too, comes next. */
async function untilRunnersReady(client: Client, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    // Nothing listens at first.
    const reply = await fetch(new URL('/healthz', client.url), { signal }).catch(() => null);
    const health = healthSchema.safeParse(await reply?.json().catch(() => null));
    if (health.success && health.data.runners.ready === health.data.runners.total) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}
