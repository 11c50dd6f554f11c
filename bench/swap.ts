import { setTimeout as pause } from 'node:timers/promises';
import { type SpawnedRunner, spawnRunner } from '../test/support/spawned-runner.ts';
import { atLeast, atMost, type Finding } from './support/finding.ts';
import { type Fleet, makeFleet, shuffled } from './support/fleet.ts';
import { untilQuiet } from './support/gate.ts';
import { percentile, round } from './support/statistics.ts';

const ADAPTERS = 200;
/** Calls in a row of the same kind, before the other kind has as many. */
const BLOCK = 20;
const WARM = 60;
const AT_ONCE = 3;
const SETTLED_MS = 3_000;
const SIZES = { usual: 'volumes of four windows', least: 'of one' } as const;
type Size = keyof typeof SIZES;

/** 200 adapters in random order against one adapter always, on one runner, and what they take of its memory. */
export async function swap(): Promise<Finding[]> {
  const fleet = await makeFleet(ADAPTERS);
  const runner = await spawnRunner([fleet.base, ...fleet.adapters], { PDORA_ADAPTER_CACHE_MB: '2048' });
  try {
    await untilQuiet('swap');
    await calls(runner, fleet, 'least', alwaysFirst(WARM));
    const before = await settled(runner);
    await calls(runner, fleet, 'least', shuffled(ADAPTERS, 1));
    const bytes = fleet.adapters.reduce((sum, file) => sum + file.bytes.byteLength, 0);
    const usual = await throughput(runner, fleet, 'usual');
    const least = await throughput(runner, fleet, 'least');
    const after = await settled(runner);
    return [usual, least, memory(before, after, bytes)];
  } finally {
    await runner.close();
  }
}

/** Some calls, a few at a time by as many tenants: milliseconds until the last one is answered. */
async function calls(runner: SpawnedRunner, fleet: Fleet, of: Size, order: readonly number[]) {
  const { base, adapters, [of]: volume } = fleet;
  const left = [...order];
  const began = performance.now();
  const client = async (tenant: string): Promise<void> => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) {
      await runner.segment({ base, adapter: adapters[n] ?? null, volume, tenant });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => client(`tenant-${n}`)));
  return performance.now() - began;
}

/** Both kinds of calls in turn. */
async function throughput(runner: SpawnedRunner, fleet: Fleet, of: Size): Promise<Finding> {
  const times = { one: [] as number[], many: [] as number[] };
  const order = shuffled(ADAPTERS, 2);
  for (let at = 0; at < ADAPTERS; at += BLOCK) {
    times.many.push(await calls(runner, fleet, of, order.slice(at, at + BLOCK)));
    times.one.push(await calls(runner, fleet, of, alwaysFirst(BLOCK)));
  }
  const rate = (taken: readonly number[]) => (1000 * BLOCK) / percentile(taken, 0.5);
  const { one, many } = times;
  const detail = `${round(rate(many))} a second against ${round(rate(one))}, medians of ${one.length} times ${BLOCK} calls in turn`;
  return atLeast(
    `throughput of 200 adapters, share of that of one, ${SIZES[of]}`,
    rate(many) / rate(one),
    0.98,
    detail,
  );
}

function memory(before: number, after: number, bytes: number): Finding {
  const detail = `${megabytes(before)} MB with one adapter, ${megabytes(after)} MB after 200 whose files have ${megabytes(bytes)} MB`;
  return atMost("growth of resident memory, times the adapters' bytes", (after - before) / bytes, 1.2, detail);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function alwaysFirst(length: number): number[] {
  return Array.from({ length }, () => 0);
}

/** Resident bytes when nothing has been asked for a while. */
async function settled(runner: SpawnedRunner): Promise<number> {
  await pause(SETTLED_MS);
  return runner.residentBytes();
}
