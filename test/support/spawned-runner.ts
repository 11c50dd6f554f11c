import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../cli/dev/ports.ts';
import { processTree } from '../e2e/support/memory.ts';
import { startRunner } from '../e2e/support/runner.ts';
import { callHeaders, RUNNER_TOKEN, startEdgeDouble } from './runner.ts';
import type { ModelFile, SmallModel } from './small-model.ts';

export interface Sent {
  readonly base: SmallModel['base'];
  readonly adapter: ModelFile | null;
  readonly volume: Uint8Array<ArrayBuffer>;
  readonly tenant?: string;
}

export interface Segmented {
  readonly milliseconds: number;
  /** `hot`, `warm` or `cold`. */
  readonly tier: string | null;
  readonly labels: Buffer;
}

/** A runner as a process of its own, before an edge that has these files. */
export interface SpawnedRunner {
  readonly url: string;
  readonly pid: number;
  segment(sent: Sent): Promise<Segmented>;
  /** Of the server and its session process together. */
  residentBytes(): number;
  /** Files, sockets and pipes that both hold open. */
  openFiles(): number;
  /** Ends the session process, as a device that fails. */
  killSession(): void;
  close(): Promise<void>;
}

export async function spawnRunner(
  files: readonly ModelFile[],
  environment: Readonly<Record<string, string>>,
): Promise<SpawnedRunner> {
  const edge = await startEdgeDouble();
  for (const file of files) edge.put(file);
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'runner-test-'));
  const [port = 0] = await freePorts(1);
  const runner = await startRunner({
    port,
    edgeUrl: edge.url,
    cacheDirectory,
    environment: { PDORA_RUNNER_TOKEN: RUNNER_TOKEN, PDORA_QUEUE_LIMIT: '64', ...environment },
  });
  return {
    url: runner.url,
    pid: runner.pid,
    async segment({ base, adapter, volume, tenant = 'hospital' }) {
      const headers = { ...callHeaders(base, adapter), 'x-tenant': tenant };
      const began = performance.now();
      const reply = await fetch(new URL('/segment', runner.url), { method: 'POST', headers, body: volume });
      const labels = Buffer.from(await reply.arrayBuffer());
      const milliseconds = performance.now() - began;
      if (reply.status !== 200) throw new Error(`a segmentation answered ${reply.status} ${labels.toString()}`);
      return { milliseconds, tier: reply.headers.get('x-adapter-cache'), labels };
    },
    residentBytes: () => processTree(runner.pid).reduce((sum, { residentMiB }) => sum + residentMiB * 2 ** 20, 0),
    openFiles: () => processTree(runner.pid).reduce((sum, { pid }) => sum + openFiles(pid), 0),
    killSession() {
      const [, session] = processTree(runner.pid);
      if (session === undefined) throw new Error('the runner has no session process');
      process.kill(session.pid, 'SIGKILL');
    },
    async close() {
      await runner.stop();
      await edge.close();
      await rm(cacheDirectory, { recursive: true });
    },
  };
}

/** Without what belongs to the event loops of threads, of which as many are kept as were needed at once. */
function openFiles(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => isOpen(join(folder, name))).length;
}

function isOpen(path: string): boolean {
  try {
    return !readlinkSync(path).startsWith('anon_inode:');
  } catch {
    return false; // closed meanwhile
  }
}
