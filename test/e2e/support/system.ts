import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { adapterSchema, keyCreatedSchema, SCOPES, versionCreatedSchema } from '../../../schemas/api.ts';
import { type Edge, startEdge } from './edge.ts';
import { makeFolder } from './folder.ts';
import { freePort, type RunnerProcess, startRunner } from './runner.ts';

export type Adapter = z.infer<typeof adapterSchema>;

/** The built Worker beside a real runner on this machine, both on free ports. */
export interface System {
  readonly edge: Edge;
  /** The runner of now; `restartRunner` replaces it. */
  readonly runner: () => RunnerProcess;
  restartRunner(): Promise<void>;
  /** Makes a tenant and answers a key of it with every scope. */
  makeTenant(id: string): Promise<string>;
  /** Uploads a version and waits until a runner has verified it. */
  push(key: string, name: string, file: Uint8Array): Promise<Adapter>;
  /** Ends both and removes what they left. */
  close(): Promise<void>;
}

const VERIFIED_TIMEOUT_MS = 90_000;

export async function startSystem(environment: Readonly<Record<string, string>> = {}): Promise<System> {
  const port = await freePort();
  const folder = await makeFolder();
  const edge = await startEdge(`http://127.0.0.1:${port}`);
  const start = () => startRunner({ port, edgeUrl: edge.url.href, cacheDirectory: folder.path, environment });
  let runner = await start().catch(async (error: unknown) => {
    await edge.close();
    await folder.remove();
    throw error;
  });
  return {
    edge,
    runner: () => runner,
    async restartRunner() {
      await runner.kill();
      runner = await start();
    },
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
    async close() {
      await runner.stop();
      await edge.close();
      await folder.remove();
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
