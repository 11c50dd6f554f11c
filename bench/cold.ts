import { serveBase } from '../test/e2e/support/small-system.ts';
import { type System, startSystem } from '../test/e2e/support/system.ts';
import { atMost, type Finding } from './support/finding.ts';
import { type Fleet, makeFleet } from './support/fleet.ts';
import { untilQuiet } from './support/gate.ts';
import { percentile, round } from './support/statistics.ts';

const ADAPTERS = 6;
const ROUNDS = 4;
const ALLOWED_MS = 150;
/** None of these files stays on disk, and one adapter at a time is kept compiled. */
const ENVIRONMENT = { PDORA_CACHE_MB: '1', PDORA_ADAPTER_CACHE_MB: '8' };

/** What a call through the edge takes longer whose adapter the runner has to fetch from R2, than the same call again. */
export async function cold(): Promise<Finding[]> {
  const fleet = await makeFleet(ADAPTERS);
  const system = await startSystem(ENVIRONMENT);
  try {
    await serveBase(system, fleet);
    const key = await system.makeTenant('hospital');
    for (const [n, { bytes }] of fleet.adapters.entries()) {
      const { status, problems } = await system.push(key, `adapter-${n}`, bytes);
      if (status !== 'ready') throw new Error(JSON.stringify(problems));
    }
    await untilQuiet('cold');
    const known = await pairs({ system, key, fleet }, ROUNDS, 0);
    await system.restartRunner();
    // The first one fetches the base as well.
    const unseen = await pairs({ system, key, fleet }, 1, 1);
    return [
      finding('a cold adapter that the runner has served before adds, ms', known, fleet),
      finding('a cold adapter that a new runner has never seen adds, with its self-test, ms', unseen, fleet),
    ];
  } finally {
    await system.close();
  }
}

interface Scene {
  readonly system: System;
  readonly key: string;
  readonly fleet: Fleet;
}

interface Pair {
  readonly cold: number;
  readonly hot: number;
}

/** Each adapter twice in a row, all of them in turn, so that the first call finds it gone and the second one there. */
async function pairs(scene: Scene, rounds: number, left: number): Promise<Pair[]> {
  const made: Pair[] = [];
  for (let turn = 0; turn < rounds; turn++) {
    for (let n = 0; n < ADAPTERS; n++) {
      made.push({ cold: await segment(scene, n, 'cold'), hot: await segment(scene, n, 'hot') });
    }
  }
  return made.slice(left);
}

async function segment({ system, key, fleet }: Scene, n: number, tier: string): Promise<number> {
  const began = performance.now();
  const reply = await system.edge.call('POST', `/v1/segmentations?adapter=adapter-${n}`, { key, body: fleet.least });
  const body = await reply.arrayBuffer();
  const milliseconds = performance.now() - began;
  if (reply.status !== 200) throw new Error(`${reply.status} ${Buffer.from(body).toString()}`);
  const found = reply.headers.get('x-adapter-cache');
  if (found !== tier) throw new Error(`expected a ${tier} adapter, found ${found}`);
  return milliseconds;
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function finding(rule: string, made: readonly Pair[], { adapters }: Fleet): Finding {
  const added = made.map(({ cold: first, hot }) => first - hot);
  const megabytes = round((adapters[0]?.bytes.length ?? 0) / 1e6);
  const hot = round(median(made.map((pair) => pair.hot)));
  const detail = `median of ${made.length} files of ${megabytes} MB, the largest ${round(Math.max(...added))}; the call again ${hot}`;
  return atMost(rule, median(added), ALLOWED_MS, detail);
}
