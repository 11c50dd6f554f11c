import { setTimeout as pause } from 'node:timers/promises';
import { ask, askAlone, askMany, type MixedRun, newTally, type Tally } from '../test/support/mixed-calls.ts';
import { makeMix } from '../test/support/request-mix.ts';
import { smallModel } from '../test/support/small-model.ts';
import { type SpawnedRunner, spawnRunner } from '../test/support/spawned-runner.ts';
import { atMost, type Finding } from './support/finding.ts';
import { round } from './support/statistics.ts';

const REQUESTS = 2_000;
/** From here on nothing may grow. */
const WARM = 200;
const ADAPTERS = 12;
const AT_ONCE = 6;
/** Room for two thirds of the adapters, so that they come and go. One thread: it does not look at speed, and may run beside others. */
const ENVIRONMENT = { PDORA_ADAPTER_CACHE_MB: '5', PDORA_MEMORY_MB: '256', PDORA_THREADS: '1' };
const KILLS = 3;
const AROUND_A_KILL = 40;
const SETTLED_MS = 3_000;

/** Two thousand requests of every kind, and then some while the session process is killed. */
export async function longRun(): Promise<Finding[]> {
  const mix = await makeMix(await smallModel(), ADAPTERS);
  const began = performance.now();
  const runner = await spawnRunner(mix.files, ENVIRONMENT);
  try {
    const first = mix.questions[0];
    if (first === undefined) throw new Error('nothing to ask');
    await runner.segment({ base: mix.base, ...first });
    const started = performance.now() - began;
    const alone = await askAlone(runner.url, mix);
    const tally = newTally();
    const run = { url: runner.url, mix, alone, atOnce: AT_ONCE };
    await askMany({ ...run, from: 0, to: WARM }, tally);
    const warm = await held(runner);
    await askMany({ ...run, from: WARM, to: REQUESTS }, tally);
    const end = await held(runner);
    const wrong = `${REQUESTS} requests: ${told(tally)}`;
    return [
      atMost('requests that ended otherwise than alone, or not', tally.faults.length, 0, wrong),
      atMost('memory at the end, times that after 200', end.bytes / warm.bytes, 1.1, megabytes(warm, end)),
      atMost('more open files at the end than after 200', end.files - warm.files, 0, `${warm.files} after 200`),
      ...(await killed(runner, run, started)),
    ];
  } finally {
    await runner.close();
  }
}

/** The session process is killed under load: who had a run in it is told so, and everybody else is answered. */
async function killed(runner: SpawnedRunner, run: Omit<MixedRun, 'from' | 'to'>, started: number): Promise<Finding[]> {
  const tally = newTally();
  const back: number[] = [];
  for (let n = 0; n < KILLS; n++) {
    const from = REQUESTS + n * AROUND_A_KILL;
    const asking = askMany({ ...run, from, to: from + AROUND_A_KILL, losing: true }, tally);
    await pause(1_000);
    runner.killSession();
    back.push(await untilAnswered(run));
    await asking;
  }
  const after = REQUESTS + KILLS * AROUND_A_KILL;
  await askMany({ ...run, from: after, to: after + AROUND_A_KILL }, tally);
  const lost = tally.ended.get('lost') ?? 0;
  const slowest = Math.max(...back);
  const detail = `${round(started)} ms from a new runner to its first answer`;
  return [
    atMost('runs lost to a killed session process, one kill', lost / KILLS, AT_ONCE, `${KILLS} kills: ${told(tally)}`),
    atMost('requests beside kills that ended otherwise than alone, or not', tally.faults.length, 0, told(tally)),
    atMost('from a kill to an answer, ms', slowest, started, detail),
  ];
}

/** Milliseconds until somebody who asks from now on is answered. */
async function untilAnswered({ url, mix }: Omit<MixedRun, 'from' | 'to'>): Promise<number> {
  const [question] = mix.questions;
  if (question === undefined) throw new Error('nothing to ask');
  const began = performance.now();
  for (;;) {
    const outcome = await ask(url, mix.base, { question, fate: { kind: 'answered' }, tenant: 'waiting' });
    if (outcome.kind === 'answer') return performance.now() - began;
    await pause(50);
  }
}

async function held(runner: SpawnedRunner): Promise<{ bytes: number; files: number }> {
  await pause(SETTLED_MS);
  return { bytes: runner.residentBytes(), files: runner.openFiles() };
}

function told({ ended, faults }: Tally): string {
  const ends = [...ended].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([how, count]) => `${count} ${how}`);
  return [...ends, ...faults.slice(0, 5)].join('; ');
}

function megabytes(warm: { bytes: number }, end: { bytes: number }): string {
  return `${Math.round(warm.bytes / 1e6)} MB and ${Math.round(end.bytes / 1e6)} MB, server and session process`;
}
