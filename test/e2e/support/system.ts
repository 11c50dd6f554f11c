import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { freePorts } from '../../../cli/dev/ports.ts';
import { adapterSchema, keyCreatedSchema, SCOPES, versionCreatedSchema } from '../../../schemas/api.ts';
import { type Edge, startEdge } from './edge.ts';
import { makeFolder } from './folder.ts';
import { type RunnerProcess, startRunner } from './runner.ts';

export type Adapter = z.infer<typeof adapterSchema>;

/** One of several runners; its address and its disk cache stay when its process is replaced. */
export interface ClusterRunner {
  readonly url: string;
  /** The process of now, or the last one. */
  process(): RunnerProcess;
  /** At once, as a machine that fails. */
  kill(): Promise<void>;
  /** Again, where it was killed; returns when it is ready. */
  start(): Promise<void>;
}

/** The built Worker before real runners on this machine, all on free ports. */
export interface Cluster {
  readonly edge: Edge;
  readonly runners: readonly ClusterRunner[];
  /** Makes a tenant and answers a key of it with every scope. */
  makeTenant(id: string): Promise<string>;
  /** Uploads a version and waits until a runner has verified it. */
  push(key: string, name: string, file: Uint8Array): Promise<Adapter>;
  /** Ends all and removes what they left. */
  close(): Promise<void>;
}

/** A cluster of one runner. */
export interface System extends Omit<Cluster, 'runners'> {
  /** The runner of now; `restartRunner` replaces it. */
  readonly runner: () => RunnerProcess;
  restartRunner(): Promise<void>;
}

const VERIFIED_TIMEOUT_MS = 90_000;

export async function startCluster(
  count: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const ports = await freePorts(count);
  const folder = await makeFolder();
  const edge = await startEdge(ports.map((port) => `http://127.0.0.1:${port}`));
  const started: ClusterRunner[] = [];
  const close = async () => {
    await Promise.all(started.map((runner) => runner.process().stop()));
    await edge.close();
    await folder.remove();
  };
  const start = async (port: number, n: number) => {
    const cacheDirectory = join(folder.path, `runner-${n}`);
    await mkdir(cacheDirectory);
    started.push(await startOne({ port, edgeUrl: edge.url.href, cacheDirectory, environment }));
  };
  const outcomes = await Promise.allSettled(ports.map(start));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  return {
    edge,
    runners: started,
    async makeTenant(id) {
      await created(await edge.call('POST', '/v1/tenants', { json: { id } }));
      const reply = await edge.call('POST', `/v1/tenants/${id}/keys`, { json: { name: 'test', scopes: SCOPES } });
      return keyCreatedSchema.parse(await created(reply)).key;
    },
    async push(key, name, file) {
      const reply = await edge.call('POST', `/v1/adapters/${name}/versions`, { key, body: file });
      const { version } = versionCreatedSchema.parse(await created(reply));
      return verified(edge, key, `${name}@${version}`);
    },
    close,
  };
}

export async function startSystem(environment: Readonly<Record<string, string>> = {}): Promise<System> {
  const { runners, ...cluster } = await startCluster(1, environment);
  const [runner] = runners;
  if (runner === undefined) throw new Error('no runner');
  return {
    ...cluster,
    runner: () => runner.process(),
    async restartRunner() {
      await runner.kill();
      await runner.start();
    },
  };
}

async function startOne(options: Parameters<typeof startRunner>[0]): Promise<ClusterRunner> {
  let process = await startRunner(options);
  return {
    url: process.url,
    process: () => process,
    kill: () => process.kill(),
    async start() {
      process = await startRunner(options);
    },
  };
}

/** Waits until a version is ready or rejected. */
export async function verified(edge: Edge, key: string, ref: string): Promise<Adapter> {
  const late = Date.now() + VERIFIED_TIMEOUT_MS;
  while (Date.now() < late) {
    const reply = await edge.call('GET', `/v1/adapters/${encodeURIComponent(ref)}`, { key });
    const shown = adapterSchema.parse(await created(reply));
    if (shown.status !== 'verifying') return shown;
    await wait(200);
  }
  throw new Error(`${ref} is not verified`);
}

async function created(reply: Response): Promise<unknown> {
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
  return reply.json();
}
