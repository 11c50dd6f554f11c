import { Agent } from 'node:http';
import { type Edge, startEdge } from '../test/e2e/support/edge.ts';
import { exchange } from '../test/support/exchange.ts';
import { seededWorld, type WorldSize } from './support/seeded.ts';
import { round, type Summary, summaryOf } from './support/statistics.ts';
import { startStubProcess } from './support/stub-process.ts';
import { inTurns } from './support/turns.ts';

const SMALL: WorldSize = { tenants: 2, adaptersEach: 5, auditRows: 20, endedJobs: 20 };
const LARGE: WorldSize = { tenants: 500, adaptersEach: 20, auditRows: 200_000, endedJobs: 50_000 };
const TURNS = { turns: 300, warm: 30 };
/** For what is asked of the registry most. */
const RATIO_MAX = 1.2;
const VOLUME_BYTES = 1_000;

export interface RegistryCost {
  readonly call: string;
  readonly small: Summary;
  readonly large: Summary;
  /** Of the reply's body, small and large. */
  readonly answeredBytes: { readonly small: number; readonly large: number };
  readonly ratioP50: number;
  /** Null where more is answered too, so that no bound follows. */
  readonly allowedRatio: number | null;
  readonly within: boolean;
}

interface Asked {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  path(world: ReturnType<typeof seededWorld>): string;
  readonly unbounded?: true;
}

// A page of five is as long from either registry, as the small one has no more to show.
const CALLS: readonly Asked[] = [
  { name: 'list, five of them', method: 'GET', path: () => '/v1/adapters?limit=5' },
  { name: 'list, a whole page', method: 'GET', path: () => '/v1/adapters', unbounded: true },
  { name: 'show', method: 'GET', path: ({ adapter }) => `/v1/adapters/${adapter}` },
  { name: 'resolve a version', method: 'GET', path: ({ adapter }) => `/v1/adapters/${adapter}%401` },
  { name: 'resolve an alias', method: 'GET', path: ({ adapter }) => `/v1/adapters/${adapter}%40stable` },
  { name: 'resolve a digest', method: 'GET', path: ({ digest }) => `/v1/adapters/${digest}` },
  { name: 'models', method: 'GET', path: () => '/v1/models', unbounded: true },
  { name: 'segment by name', method: 'POST', path: ({ adapter }) => `/v1/segmentations?adapter=${adapter}` },
  { name: 'segment by alias', method: 'POST', path: ({ adapter }) => `/v1/segmentations?adapter=${adapter}@stable` },
  { name: 'segment by digest', method: 'POST', path: ({ digest }) => `/v1/segmentations?adapter=${digest}` },
  { name: 'list of segmentations', method: 'GET', path: () => '/v1/segmentations?limit=10' },
  { name: 'audit', method: 'GET', path: () => '/v1/audit?limit=10' },
];

/** What calls take with 10 adapters of 2 tenants, and with 10,000 of 500 beside many jobs and lines of the audit. */
export async function registrySize(): Promise<RegistryCost[]> {
  const runner = await startStubProcess('small');
  const worlds = { small: seededWorld(SMALL), large: seededWorld(LARGE) };
  const small = await startEdge([runner.url], worlds.small.seed);
  const large = await startEdge([runner.url], worlds.large.seed);
  const agent = new Agent({ keepAlive: true });
  const found: RegistryCost[] = [];
  for (const call of CALLS) {
    const ask = (edge: Edge, world: ReturnType<typeof seededWorld>) => async () => {
      const headers = { authorization: `Bearer ${world.key}` };
      const body = call.method === 'POST' ? { body: Buffer.alloc(VOLUME_BYTES) } : {};
      const sent = { method: call.method, headers, agent, ...body };
      let bytes = 0;
      const { status } = await exchange(new URL(call.path(world), edge.url), sent, (chunk) => {
        bytes += chunk.byteLength;
      });
      if (status !== 200) throw new Error(`${call.name}: ${status}`);
      return bytes;
    };
    const asks = { a: ask(small, worlds.small), b: ask(large, worlds.large) };
    const answeredBytes = { small: await asks.a(), large: await asks.b() };
    const times = await inTurns(asks, TURNS);
    const [a, b] = [summaryOf(times.a), summaryOf(times.b)];
    const ratioP50 = round(b.p50 / a.p50);
    const allowedRatio = call.unbounded === true ? null : RATIO_MAX;
    const within = allowedRatio === null || ratioP50 <= allowedRatio;
    found.push({ call: call.name, small: a, large: b, answeredBytes, ratioP50, allowedRatio, within });
  }
  agent.destroy();
  await small.close();
  await large.close();
  await runner.close();
  return found;
}
