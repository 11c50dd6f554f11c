import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { SECRETS } from './edge.ts';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;

export interface RunnerProcess {
  readonly url: string;
  readonly pid: number;
  /** All that it has printed so far. */
  printed(): string;
  /** At once, as a machine that fails. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface RunnerOptions {
  readonly port: number;
  readonly edgeUrl: string;
  readonly cacheDirectory: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** The runner as a process of its own, ready to serve; it has no base but those it fetches from the edge. */
export async function startRunner(options: RunnerOptions): Promise<RunnerProcess> {
  const child = spawn(process.execPath, ['gpu-runner/main.ts'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      MALLOC_ARENA_MAX: '2',
      PDORA_RUNNER_PORT: String(options.port),
      PDORA_RUNNER_TOKEN: SECRETS.RUNNER_TOKEN,
      PDORA_EDGE_URL: options.edgeUrl,
      PDORA_CACHE_DIR: options.cacheDirectory,
      PDORA_PROVIDERS: 'cpu',
      PDORA_THREADS: '2',
      ...options.environment,
    },
  });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += String(chunk)));
  child.stderr.on('data', (chunk) => {
    printed += String(chunk);
    process.stderr.write(chunk);
  });
  const url = `http://127.0.0.1:${options.port}`;
  try {
    await untilReady(child, url);
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
  return {
    url,
    pid: child.pid ?? 0,
    printed: () => printed,
    kill: () => end(child, 'SIGKILL'),
    stop: () => end(child, 'SIGTERM'),
  };
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const late = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < late) {
    if (child.exitCode !== null) throw new Error(`the runner ended with ${child.exitCode}`);
    const reply = await fetch(`${url}/readyz`).catch(() => null);
    if (reply?.ok === true) return;
    await wait(100);
  }
  throw new Error('the runner is not ready');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}
