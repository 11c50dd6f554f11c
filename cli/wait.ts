import { setTimeout as sleep } from 'node:timers/promises';
import { adapterSchema } from '../schemas/api.ts';
import type { FormatProblem } from '../schemas/errors.ts';
import type { Client } from './client.ts';
import { CliError } from './failure.ts';
import { spinner } from './progress.ts';
import { inWords } from './verdict.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;

/** Asks until the version is ready. A version that a runner refused is a failure that tells its problems. */
export async function waitUntilReady(
  client: Client,
  { adapter, version }: { adapter: string; version: number },
): Promise<void> {
  const ref = `${adapter}@${version}`;
  const turning = spinner('verifying');
  try {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
      const { status, problems } = await client.json('GET', `/v1/adapters/${encodeURIComponent(ref)}`, adapterSchema);
      if (status === 'ready') return;
      if (status === 'rejected') throw rejected(ref, problems);
      await sleep(pause);
    }
  } finally {
    turning.stop();
  }
}

function rejected(what: string, problems: readonly FormatProblem[]): CliError {
  return new CliError('rejected', `${what}: ${problems.map(inWords).join('; ')}`);
}
