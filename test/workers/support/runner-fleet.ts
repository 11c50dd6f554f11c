import { labelMap, refusal, verified } from './runner-stub.ts';

/** Stands where one of several runners is. */
export interface FleetRunner {
  readonly url: string;
  /** `METHOD path` of every call, in order. */
  readonly calls: string[];
  state: 'ready' | 'full' | 'stopping' | 'dead';
  /** What it answers to calls other than `/readyz`. */
  answer: (request: Request) => Response | Promise<Response>;
}

/** Runners reached by a `fetch` of their own, which a pool is given in place of the real one. */
export interface Fleet {
  readonly runners: readonly FleetRunner[];
  readonly urls: string[];
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  at(url: string | undefined): FleetRunner;
  /** How often any of them was called so. */
  count(call: string): number;
}

export function fleetOf(size: number): Fleet {
  const runners = Array.from({ length: size }, (_, n) => runnerAt(`http://runner-${n}.internal:8788`));
  const at = (url: string | undefined) => {
    const found = runners.find((runner) => runner.url === url);
    if (found === undefined) throw new Error(`a call to ${url}, where no runner is`);
    return found;
  };
  return {
    runners,
    urls: runners.map(({ url }) => url),
    at,
    count: (call) => runners.flatMap(({ calls }) => calls).filter((made) => made === call).length,
    async fetch(input, init) {
      const request = new Request(input, init);
      const { origin, pathname } = new URL(request.url);
      const runner = at(origin);
      runner.calls.push(`${request.method} ${pathname}`);
      if (runner.state === 'dead') throw new Error('Network connection lost.');
      if (pathname === '/readyz') return readyz(runner);
      return runner.answer(request);
    },
  };
}

function runnerAt(url: string): FleetRunner {
  return {
    url,
    calls: [],
    state: 'ready',
    answer: ({ url: called, headers }) =>
      new URL(called).pathname === '/verify' ? verified(headers) : labelMap(headers, { 'x-voxels': '24000' }),
  };
}

function readyz({ state }: FleetRunner): Response {
  if (state === 'full') return refusal(503, 'runner_busy', { 'retry-after': '2' });
  if (state === 'stopping') return refusal(503, 'runner_unavailable', { 'retry-after': '2' });
  return Response.json({ status: 'ready', queue: 3 });
}
