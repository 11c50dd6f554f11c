import { env } from 'cloudflare:workers';
import { vi } from 'vitest';

/** Stands where the runner is, to show what the edge makes of a runner's replies; it segments nothing. */
export interface RunnerStub {
  readonly calls: { path: string; headers: Headers; body: Uint8Array }[];
  verify: (headers: Headers) => Response | Promise<Response>;
  segment: (headers: Headers, signal: AbortSignal) => Response | Promise<Response>;
  ready: boolean;
  /** Not reachable at all. */
  down: boolean;
  /** How far it says that every run is. */
  progress: number;
  /** Runs that it was told to end. */
  readonly cancelled: string[];
}

export const LABEL_MAP = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
export const TIMING = 'queue;dur=1, fetch;dur=2, decode;dur=3, infer;dur=4';

/** What a runner answers that did as it was told. */
export function labelMap(headers: Headers, changes: Record<string, string | null> = {}): Response {
  const reply = new Headers({
    'content-type': 'application/gzip',
    'content-length': String(LABEL_MAP.byteLength),
    'x-base-digest': headers.get('x-base-digest') ?? '',
    'x-adapter-cache': 'cold',
    'server-timing': TIMING,
  });
  const adapter = headers.get('x-adapter-digest');
  if (adapter !== null) reply.set('x-adapter-digest', adapter);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) reply.delete(name);
    else reply.set(name, value);
  }
  return new Response(LABEL_MAP, { headers: reply });
}

export function verified(headers: Headers, problems: unknown[] = []): Response {
  return Response.json({
    digest: headers.get('x-adapter-digest') ?? headers.get('x-base-digest'),
    problems,
    warnings: [],
  });
}

/** Takes the place of the runner for one test; `vi.unstubAllGlobals` gives it back. */
export function stubRunner(): RunnerStub {
  const stub: RunnerStub = {
    calls: [],
    verify: (headers) => verified(headers),
    segment: (headers) => labelMap(headers),
    ready: true,
    down: false,
    progress: 0.5,
    cancelled: [],
  };
  vi.stubGlobal('fetch', async (input: string, init: RequestInit = {}) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (url.origin !== env.GPU_RUNNER_URL) throw new Error(`a call to ${url.origin}, where no runner is`);
    if (stub.down) throw new Error('Network connection lost.');
    if (url.pathname === '/readyz') return new Response(null, { status: stub.ready ? 200 : 503 });
    if (url.pathname.startsWith('/runs/')) {
      if (request.method === 'DELETE') stub.cancelled.push(url.pathname.slice('/runs/'.length));
      return Response.json({ progress: stub.progress });
    }
    const body = new Uint8Array(await request.arrayBuffer());
    stub.calls.push({ path: url.pathname, headers: request.headers, body });
    return url.pathname === '/verify' ? stub.verify(request.headers) : stub.segment(request.headers, request.signal);
  });
  return stub;
}
