import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { edgeSource } from '../../../gpu-runner/adapter/edge-source.ts';

const bytes = new Uint8Array(Buffer.alloc(200_000, 'adapter'));
const sha256 = createHash('sha256').update(bytes).digest('hex');

describe('files from the edge', () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let requests: IncomingMessage[];

  beforeEach(async () => {
    requests = [];
    answer = (_request, response) => response.end(bytes);
    server = createServer((request, response) => {
      requests.push(request);
      answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  function fetchBlob(options: { maxBytes?: number; totalMs?: number; stallMs?: number; edgeUrl?: string } = {}) {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { maxBytes = 1_000_000, ...rest } = options;
    const source = edgeSource({ edgeUrl: `http://127.0.0.1:${port}`, token: 'runner token', ...rest });
    return source.fetch({ sha256, grant: 'v1.1.aa', maxBytes });
  }

  it('asks for the digest with the runner’s token and the grant, and answers the bytes', async () => {
    expect(await fetchBlob()).toEqual(bytes);
    expect(requests[0]?.method).toBe('GET');
    expect(requests[0]?.url).toBe(`/internal/blobs/${sha256}`);
    expect(requests[0]?.headers).toMatchObject({ authorization: 'Bearer runner token', 'x-grant': 'v1.1.aa' });
  });

  it.each([
    { status: 404, code: 'not_found' },
    { status: 401, code: 'runner_unavailable' },
    { status: 403, code: 'runner_unavailable' },
    { status: 429, code: 'runner_unavailable' },
    { status: 500, code: 'runner_unavailable' },
    { status: 503, code: 'runner_unavailable' },
    { status: 204, code: 'runner_unavailable' },
    { status: 206, code: 'runner_unavailable' },
  ])('answers $code where the edge says $status', async ({ status, code }) => {
    answer = (_request, response) => response.writeHead(status).end(status === 204 ? undefined : bytes);
    await expect(fetchBlob()).rejects.toMatchObject({ code });
  });

  it('refuses other bytes than those asked for', async () => {
    answer = (_request, response) => response.end(bytes.with(77, 0));
    await expect(fetchBlob()).rejects.toMatchObject({ code: 'internal' });
  });

  it('follows no redirect', async () => {
    answer = (request, response) => {
      if (request.url === '/elsewhere') response.end(bytes);
      else response.writeHead(302, { location: '/elsewhere' }).end();
    };
    await expect(fetchBlob()).rejects.toMatchObject({ code: 'runner_unavailable' });
    expect(requests).toHaveLength(1);
  });

  it('stops at the largest size, promised or not', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    answer = (_request, response) => {
      closed = once(response, 'close');
      const pump = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64_000)));
      };
      response.on('drain', pump);
      pump();
    };
    await expect(fetchBlob({ maxBytes: 500_000 })).rejects.toMatchObject({ code: 'internal' });
    await closed;
  });

  it('counts what a compressed body unpacks to', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000));
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    await expect(fetchBlob()).rejects.toMatchObject({ code: 'internal' });
  });

  it.each([
    { fault: 'breaks off', end: (response: ServerResponse) => response.destroy() },
    { fault: 'stalls', end: () => undefined },
  ])('answers runner_unavailable and when to come back where the edge $fault', async ({ end }) => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 1_000), () => end(response));
    };
    const failure = await fetchBlob({ stallMs: 200 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'runner_unavailable', retryAfterSeconds: 2 });
  });

  it('gives a slow edge its time while bytes arrive, and no more than the whole time', async () => {
    answer = (_request, response) => {
      let at = 0;
      const timer = setInterval(() => {
        response.write(bytes.subarray(at, at + 40_000));
        at += 40_000;
        if (at < bytes.length) return;
        clearInterval(timer);
        response.end();
      }, 60);
    };
    expect(await fetchBlob({ stallMs: 250 })).toEqual(bytes);
    await expect(fetchBlob({ totalMs: 150 })).rejects.toMatchObject({ code: 'runner_unavailable' });
  });

  it('answers runner_unavailable where no edge listens', async () => {
    await expect(fetchBlob({ edgeUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'runner_unavailable' });
  });
});
