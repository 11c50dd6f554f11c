import { mkdir, writeFile } from 'node:fs/promises';
import { TEST_PROVIDER } from '../test/support/provider.ts';
import { cold } from './cold.ts';
import { edgeCost } from './edge-cost.ts';
import { fairness } from './fairness.ts';
import { longRun } from './long-run.ts';
import { monai } from './monai.ts';
import { registrySize } from './registry-size.ts';
import { circumstances } from './support/machine.ts';
import { inNetworkProcess } from './support/network-process.ts';
import { updateReadme } from './support/readme.ts';
import { swap } from './swap.ts';
import { workingSet } from './working-set.ts';

/** `npm run bench` measures everything, `npm run bench -- edge-cost` that alone; bench/README.md says what it means. */

/** What was measured on another device lies beside what the tables are made of. */
const SUFFIX = TEST_PROVIDER === 'cpu' ? '' : `-${TEST_PROVIDER}`;
const RESULTS = new URL('results/', import.meta.url);
const BENCHMARKS = new Map<string, () => Promise<readonly { within: boolean }[]>>([
  ['edge-cost', edgeCost],
  ['fairness', fairness],
  ['registry-size', registrySize],
  ['swap', swap],
  ['cold', cold],
  ['working-set', workingSet],
  ['swap-cost', () => inNetworkProcess('swap-cost')],
  ['long-run', longRun],
  ['limit', () => inNetworkProcess('limit')],
  ['monai', monai],
  ['profile', () => inNetworkProcess('profile')],
]);

const wanted = process.argv.length > 2 ? process.argv.slice(2) : [...BENCHMARKS.keys()];
const unknown = wanted.filter((name) => !BENCHMARKS.has(name));
if (unknown.length > 0) {
  process.stderr.write(`no such benchmark: ${unknown.join(', ')}; there are ${[...BENCHMARKS.keys()].join(', ')}\n`);
  process.exit(2);
}
await mkdir(RESULTS, { recursive: true });
for (const name of wanted) {
  const where = circumstances();
  const results = (await BENCHMARKS.get(name)?.()) ?? [];
  await writeFile(new URL(`${name}${SUFFIX}.json`, RESULTS), `${JSON.stringify({ ...where, results }, null, 2)}\n`);
  process.stdout.write(
    `${name}: ${results.filter(({ within }) => within).length} of ${results.length} within bounds\n`,
  );
  if (results.some(({ within }) => !within)) process.exitCode = 1;
}
await updateReadme();
