import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { z } from 'zod';

/** What a benchmark itself writes. */
const NOT_CODE = [':!bench/results', ':!bench/README.md'];

const packageSchema = z.object({ version: z.string() });

/** Where and when a result was measured; `load` is the one-minute load before it, of all that the machine did. */
export function circumstances() {
  return {
    date: new Date().toISOString(),
    commit:
      git('rev-parse', '--short=12', 'HEAD') +
      (git('status', '--porcelain', '--', '.', ...NOT_CODE) === '' ? '' : ' and changes'),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    node: process.versions.node,
    wrangler: versionOf('wrangler'),
    workerd: versionOf('workerd'),
  };
}

export type Circumstances = ReturnType<typeof circumstances>;

function git(...words: string[]): string {
  return execFileSync('git', words, { encoding: 'utf8' }).trim();
}

function versionOf(name: string): string {
  return packageSchema.parse(JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))).version;
}
