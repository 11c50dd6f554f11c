import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** A server where the runner is, to see what the edge does on a real connection; it segments nothing. */
export interface StubRunner {
  readonly url: string;
  /** What it does with the next segmentations. */
  segment: (request: IncomingMessage, response: ServerResponse) => unknown;
  readyz: (request: IncomingMessage, response: ServerResponse) => unknown;
  close(): Promise<void>;
}

export async function startStubRunner(): Promise<StubRunner> {
  const server = createServer((request, response) => {
    if (request.url === '/segment') {
      stub.segment(request, response);
      return;
    }
    request.resume();
    if (request.url === '/readyz') {
      stub.readyz(request, response);
      return;
    }
    const digest = request.headers['x-adapter-digest'] ?? request.headers['x-base-digest'];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ digest, problems: [] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const stub: StubRunner = {
    url: `http://127.0.0.1:${address.port}`,
    segment: echo,
    readyz: (_, response) => void response.writeHead(200).end('{}'),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return stub;
}

/** Headers of a label map that was made as the edge asked. */
export function promised(request: IncomingMessage): Record<string, string> {
  const adapter = request.headers['x-adapter-digest'];
  return {
    'content-type': 'application/gzip',
    ...(adapter === undefined ? {} : { 'x-adapter-digest': String(adapter) }),
    'x-base-digest': String(request.headers['x-base-digest']),
    'x-adapter-cache': 'hot',
    'server-timing': 'infer;dur=1',
  };
}

/** Answers with the body that came, as it comes. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { ...promised(request), 'content-length': request.headers['content-length'] });
  request.pipe(response);
}

/** Answers before it has read the body, which it leaves unread. */
export function refuse(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(422, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ code: 'invalid_volume', detail: 'not a volume' }));
}
