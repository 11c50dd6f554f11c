import { type SpawnedRunner, spawnRunner } from '../test/support/spawned-runner.ts';
import { atMost, type Finding } from './support/finding.ts';
import { type Fleet, makeFleet, shuffled } from './support/fleet.ts';
import { untilQuiet } from './support/gate.ts';
import { percentile, round } from './support/statistics.ts';

const ADAPTERS = 80;
/** Times that all adapters take what there is room for. */
const BEYOND = 4;
/** Calls in a row to one runner, before the other has as many. */
const BLOCK = 20;
const ROUNDS = 2;
const AT_ONCE = 2;

/** Adapters in random order on a runner that has room for a quarter of them compiled, against one that has room for all. */
export async function workingSet(): Promise<Finding[]> {
  const fleet = await makeFleet(ADAPTERS);
  const files = [fleet.base, ...fleet.adapters];
  const ample = await spawnRunner(files, { PDORA_ADAPTER_CACHE_MB: '2048' });
  try {
    await untilQuiet('working-set');
    await calls(ample, fleet, shuffled(ADAPTERS, 1));
    const megabytes = Math.ceil((await compiledBytes(ample)) / BEYOND / 2 ** 20);
    const small = await spawnRunner(files, { PDORA_ADAPTER_CACHE_MB: String(megabytes) });
    try {
      await calls(small, fleet, shuffled(ADAPTERS, 1));
      return [await measure(fleet, ample, small, megabytes)];
    } finally {
      await small.close();
    }
  } finally {
    await ample.close();
  }
}

async function measure(fleet: Fleet, ample: SpawnedRunner, small: SpawnedRunner, megabytes: number): Promise<Finding> {
  const found = { ample: [] as Call[], small: [] as Call[] };
  for (let turn = 0; turn < ROUNDS; turn++) {
    const order = shuffled(ADAPTERS, 2 + turn);
    for (let at = 0; at < ADAPTERS; at += BLOCK) {
      const block = order.slice(at, at + BLOCK);
      found.ample.push(...(await calls(ample, fleet, block)));
      found.small.push(...(await calls(small, fleet, block)));
    }
  }
  const [hot, beyond] = [p95(found.ample), p95(found.small)];
  const missed = found.small.filter(({ tier }) => tier !== 'hot').length;
  const detail = `p95 ${round(hot)} ms with room for all, ${round(beyond)} ms with ${megabytes} MiB, where ${missed} of ${found.small.length} calls had to compile`;
  return atMost(`p95 of a working set ${BEYOND} times the cache, times that of a warm one`, beyond / hot, 2, detail);
}

interface Call {
  readonly milliseconds: number;
  readonly tier: string | null;
}

async function calls(runner: SpawnedRunner, { base, adapters, least: volume }: Fleet, order: readonly number[]) {
  const left = [...order];
  const made: Call[] = [];
  const client = async (tenant: string): Promise<void> => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) {
      made.push(await runner.segment({ base, adapter: adapters[n] ?? null, volume, tenant }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => client(`tenant-${n}`)));
  return made;
}

function p95(of: readonly Call[]): number {
  return percentile(
    of.map(({ milliseconds }) => milliseconds),
    0.95,
  );
}

async function compiledBytes(runner: SpawnedRunner): Promise<number> {
  const text = await (await fetch(new URL('/metrics', runner.url))).text();
  return Number(/^pdora_runner_cache_bytes\{tier="compiled"\} (\d+)/m.exec(text)?.[1]);
}
