import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { projectPath } from '../../cli/root.ts';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the `pdora` command as a child process, as a shell would. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { PDORA_URL: _url, PDORA_KEY: _key, ...inherited } = process.env;
  return spawn(process.execPath, [projectPath('cli', 'pdora.ts'), ...args], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the `pdora` command to its end. */
export async function pdora(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = start(args, env);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout, stderr };
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface TestService {
  readonly url: string;
  readonly seen: Seen[];
  close(): Promise<void>;
}

/** A small HTTP server in place of the edge; it keeps what it was asked. */
export async function testService(
  answer: (seen: Seen, reply: ServerResponse) => void | Promise<void>,
): Promise<TestService> {
  const seen: Seen[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks) };
      seen.push(one);
      void answer(one, reply);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

export function json(reply: ServerResponse, status: number, body: unknown, type = 'application/json'): void {
  reply.writeHead(status, { 'content-type': type });
  reply.end(JSON.stringify(body));
}

export function problem(reply: ServerResponse, status: number, body: Record<string, unknown>): void {
  json(
    reply,
    status,
    { type: 'about:blank', title: 'x', status, request_id: 'r-1', ...body },
    'application/problem+json',
  );
}
