import { Agent } from 'node:http';
import { type Edge, startEdge } from '../test/e2e/support/edge.ts';
import { exchange } from '../test/support/exchange.ts';
import { seededWorld } from './support/seeded.ts';
import { round, type Summary, summaryOf } from './support/statistics.ts';
import { type StubProcess, startStubProcess } from './support/stub-process.ts';
import { inTurns } from './support/turns.ts';

/** What the edge may add to the median call: this, and so much for each megabyte of its body. */
const ALLOWED_MS = 20;
const ALLOWED_MS_PER_MB = 8;

const SIZES = [
  { megabytes: 0.1, turns: 200, warm: 20 },
  { megabytes: 10, turns: 40, warm: 4 },
  { megabytes: 60, turns: 16, warm: 2 },
];

export interface EdgeCost {
  readonly answer: 'small' | 'echo';
  readonly megabytes: number;
  readonly direct: Summary;
  readonly edge: Summary;
  readonly addedMs: number;
  readonly addedMsPerMB: number;
  readonly ratioP50: number;
  readonly ratioP99: number;
  readonly allowedMs: number;
  readonly within: boolean;
}

/** Added time of a synchronous segmentation through the edge over the same call to the runner itself. */
export async function edgeCost(): Promise<EdgeCost[]> {
  const found: EdgeCost[] = [];
  for (const answer of ['small', 'echo'] as const) {
    const runner = await startStubProcess(answer);
    const world = seededWorld({ tenants: 2, adaptersEach: 5, auditRows: 0, endedJobs: 0 });
    const edge = await startEdge([runner.url], world.seed);
    for (const size of SIZES) found.push(await measure(answer, runner, edge, world, size));
    await edge.close();
    await runner.close();
  }
  return found;
}

async function measure(
  answer: EdgeCost['answer'],
  runner: StubProcess,
  edge: Edge,
  world: ReturnType<typeof seededWorld>,
  { megabytes, turns, warm }: (typeof SIZES)[number],
): Promise<EdgeCost> {
  const body = Buffer.alloc(megabytes * 1e6, 1);
  const agent = new Agent({ keepAlive: true });
  const post = async (url: URL, headers: Record<string, string>) => {
    const { status } = await exchange(url, { headers, body, agent });
    if (status !== 200) throw new Error(`${url.pathname}: ${status}`);
  };
  const direct = { 'x-base-digest': 'sha256:0', 'x-adapter-digest': world.digest };
  const key = { authorization: `Bearer ${world.key}` };
  const throughEdge = new URL(`/v1/segmentations?adapter=${world.adapter}`, edge.url);
  const times = await inTurns(
    { a: () => post(new URL('/segment', runner.url), direct), b: () => post(throughEdge, key) },
    { turns, warm },
  );
  agent.destroy();
  const [a, b] = [summaryOf(times.a), summaryOf(times.b)];
  const addedMs = round(b.p50 - a.p50);
  const allowedMs = ALLOWED_MS + ALLOWED_MS_PER_MB * megabytes;
  return {
    answer,
    megabytes,
    direct: a,
    edge: b,
    addedMs,
    addedMsPerMB: round(addedMs / megabytes),
    ratioP50: round(b.p50 / a.p50),
    ratioP99: round(b.p99 / a.p99),
    allowedMs,
    within: addedMs <= allowedMs,
  };
}
