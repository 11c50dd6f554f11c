import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { z } from 'zod';
import { portOf, type Runner, startRunner } from '../../gpu-runner/server/start.ts';
import { readSettings } from '../../gpu-runner/settings.ts';
import type { ModelFile, SmallModel } from './small-model.ts';

export const RUNNER_TOKEN = 'runner-token-for-tests';
export const GRANT = 'v1.grant';

/** The edge as a runner sees it: files by SHA-256, for its token and a grant. */
export interface EdgeDouble {
  readonly url: string;
  /** A file that is fetched before `ready` comes then. */
  put(file: ModelFile, ready?: Promise<unknown>): void;
  close(): Promise<void>;
}

export async function startEdgeDouble(): Promise<EdgeDouble> {
  const files = new Map<string, { bytes: Uint8Array; ready: Promise<unknown> }>();
  const server = createServer((request, response) => {
    const allowed = request.headers.authorization === `Bearer ${RUNNER_TOKEN}` && request.headers['x-grant'] === GRANT;
    const file = files.get(request.url?.replace('/internal/blobs/', 'sha256:') ?? '');
    const status = !allowed ? 403 : file === undefined ? 404 : 200;
    const answer = () => response.writeHead(status).end(status === 200 ? file?.bytes : '');
    void (file?.ready ?? Promise.resolve()).then(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    put: ({ digest, bytes }, ready = Promise.resolve()) => void files.set(digest, { bytes, ready }),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export interface TestRunner {
  readonly runner: Runner;
  readonly url: string;
  readonly edge: EdgeDouble;
  /** Everything that was logged, one JSON document a line. */
  readonly logged: string[];
  close(): Promise<void>;
}

/** A real runner, its child process included, on a free port, before an edge that has no files yet. */
export async function startTestRunner(environment: Record<string, string> = {}): Promise<TestRunner> {
  const edge = await startEdgeDouble();
  const cache = mkdtempSync(join(tmpdir(), 'runner-test-'));
  const logged: string[] = [];
  const settings = readSettings({
    PDORA_RUNNER_TOKEN: RUNNER_TOKEN,
    PDORA_RUNNER_PORT: '0',
    PDORA_EDGE_URL: edge.url,
    PDORA_CACHE_DIR: cache,
    PDORA_PROVIDERS: 'cpu',
    PDORA_THREADS: '2',
    ...environment,
  });
  const log = pino({ base: null }, { write: (line: string) => void logged.push(line) });
  const runner = await startRunner(settings, log);
  await runner.ready;
  return {
    runner,
    url: runner.url,
    edge,
    logged,
    async close() {
      await runner.kill();
      await edge.close();
      rmSync(cache, { recursive: true });
    },
  };
}

/** The headers of a call for an adapter on a base, or for the base alone. */
export function callHeaders(base: SmallModel['base'], adapter: ModelFile | null): Record<string, string> {
  return {
    authorization: `Bearer ${RUNNER_TOKEN}`,
    'x-base-digest': base.baseDigest,
    'x-base-file': base.digest,
    'x-base-grant': GRANT,
    'x-run-id': randomUUID(),
    'x-tenant': 'hospital',
    ...(adapter === null ? {} : { 'x-adapter-digest': adapter.digest, 'x-grant': GRANT }),
  };
}

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly problems?: readonly { readonly code: string; readonly path: string }[] | undefined;
}

const problemSchema = z.object({
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  request_id: z.string().min(1),
  problems: z.array(z.object({ code: z.string(), path: z.string() })).optional(),
});

/** The problem document of a reply, which must be one. */
export async function problemOf(reply: Response): Promise<Problem> {
  if (reply.headers.get('content-type') !== 'application/problem+json') {
    throw new Error(`expected a problem, found ${reply.status} ${await reply.text()}`);
  }
  const problem = problemSchema.parse(await reply.json());
  if (problem.status !== reply.status) throw new Error(`the problem says ${problem.status}, the reply ${reply.status}`);
  return problem;
}
