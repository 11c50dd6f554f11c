import { env } from 'cloudflare:workers';
import { vi } from 'vitest';
import { CONTENT_TYPE } from '../../../schemas/answer-formats.ts';

/** Stands where the runner is, to show what the edge makes of a runner's replies; it segments nothing. */
export interface RunnerStub {
  readonly calls: { path: string; headers: Headers; body: Uint8Array }[];
  verify: (headers: Headers) => Response | Promise<Response>;
  segment: (headers: Headers, signal: AbortSignal) => Response | Promise<Response>;
  /** What it says of a run, to `GET` and `DELETE /runs/{run}` alike. */
  run: (run: string, method: string) => Response | Promise<Response>;
  ready: boolean;
  /** Alive, but says that its queue is full. */
  full: boolean;
  /** Not reachable at all. */
  down: boolean;
}

export const LABEL_MAP = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
export const TIMING = 'queue;dur=1, fetch;dur=2, decode;dur=3, infer;dur=4';

/** What a runner answers that did as it was told. */
export function labelMap(headers: Headers, changes: Record<string, string | null> = {}): Response {
  const reply = new Headers({
    'content-type': headers.get('x-format') === 'nrrd' ? CONTENT_TYPE.nrrd : CONTENT_TYPE.nifti,
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

/** A problem as a runner tells it. */
export function refusal(status: number, code: string, headers: Record<string, string> = {}): Response {
  const type = { 'content-type': 'application/problem+json' };
  return Response.json({ code, detail: 'of the runner' }, { status, headers: { ...type, ...headers } });
}

/** Takes the place of the runner for one test; `vi.unstubAllGlobals` gives it back. */
export function stubRunner(): RunnerStub {
  const stub: RunnerStub = {
    calls: [],
    verify: (headers) => verified(headers),
    segment: (headers) => labelMap(headers),
    run: () => refusal(404, 'not_found'),
    ready: true,
    full: false,
    down: false,
  };
  vi.stubGlobal('fetch', async (input: string, init: RequestInit = {}) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (url.origin !== env.GPU_RUNNER_URLS) throw new Error(`a call to ${url.origin}, where no runner is`);
    if (stub.down) throw new Error('Network connection lost.');
    if (url.pathname === '/readyz') return readyz(stub);
    const run = /^\/runs\/(.+)$/.exec(url.pathname)?.[1];
    if (run !== undefined) return stub.run(decodeURIComponent(run), request.method);
    const body = new Uint8Array(await request.arrayBuffer());
    stub.calls.push({ path: url.pathname, headers: request.headers, body });
    return url.pathname === '/verify' ? stub.verify(request.headers) : stub.segment(request.headers, request.signal);
  });
  return stub;
}

function readyz({ ready, full }: RunnerStub): Response {
  if (full) return refusal(503, 'runner_busy');
  return ready ? Response.json({ status: 'ready', queue: 0 }) : refusal(503, 'runner_unavailable');
}
