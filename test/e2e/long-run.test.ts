import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { askAlone, askMany, type MixedRun, newTally } from '../support/mixed-calls.ts';
import { makeMix } from '../support/request-mix.ts';
import { smallModel } from '../support/small-model.ts';
import { type SpawnedRunner, spawnRunner } from '../support/spawned-runner.ts';

/** `npm run bench -- long-run` asks two thousand times and looks at memory too. */
const REQUESTS = 100;
/** From here on nothing more may be open. */
const WARM = 30;
const AT_ONCE = 5;
const ADAPTERS = 4;
/** Room for one window's session, for a dozen of these runs, and for three of the adapters. */
const ENVIRONMENT = { PDORA_MEMORY_MB: '64', PDORA_ADAPTER_CACHE_MB: '2' };
const SETTLED_MS = 500;
/** Beyond the seconds that a server keeps a connection nobody uses. */
const CLOSED_MS = 20_000;

let runner: SpawnedRunner;
let run: Omit<MixedRun, 'from' | 'to'>;

beforeAll(async () => {
  const mix = await makeMix(await smallModel(), ADAPTERS);
  runner = await spawnRunner(mix.files, ENVIRONMENT);
  run = { url: runner.url, mix, alone: await askAlone(runner.url, mix), atOnce: AT_ONCE };
});
afterAll(async () => await runner.close());

test('every request ends as it should among others that break off, and leaves nothing behind', async () => {
  const tally = newTally();
  await askMany({ ...run, from: 0, to: WARM }, tally);
  await pause(SETTLED_MS);
  const files = runner.openFiles();
  // What any of them kept of the memory for runs would stop the others before long.
  await askMany({ ...run, from: WARM, to: REQUESTS }, tally);
  expect(tally.faults).toEqual([]);
  for (const end of ['answered', 'left while sending', 'left while waiting', 'cancelled: cancelled']) {
    expect([...tally.ended.keys()]).toContain(end);
  }
  await vi.waitFor(() => expect(runner.openFiles()).toBeLessThanOrEqual(files), { timeout: CLOSED_MS, interval: 500 });
  expect(await (await fetch(new URL('/readyz', runner.url))).json()).toEqual({ status: 'ready', queue: 0 });
});

test('a session process that is killed takes the runs it has, and the next one answers as before', async () => {
  const tally = newTally();
  const asking = askMany({ ...run, from: 200, to: 216, losing: true }, tally);
  await pause(300);
  runner.killSession();
  await asking;
  await askMany({ ...run, from: 216, to: 226 }, tally);
  expect(tally.faults).toEqual([]);
  expect(tally.ended.get('lost')).toBeGreaterThan(0);
  expect(tally.ended.get('lost')).toBeLessThanOrEqual(AT_ONCE);
});
