import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { readCheckedFile } from '../../gpu-runner/adapter/checked-file.ts';
import { openEngine } from '../../gpu-runner/local.ts';
import { type FormatProblem, ServiceError } from '../../schemas/errors.ts';
import { ADAPTER_MAX_BYTES } from '../../schemas/limits.ts';
import { checkAdapterFile } from '../../schemas/rules.ts';
import { checkInputFile } from '../files.ts';
import { print } from '../print.ts';
import { spinner } from '../progress.ts';
import { invalid } from '../verdict.ts';

/** What nobody can tell without the base; where a rule is only partly open, the open part. */
const NEEDS_BASE: readonly (readonly [code: string, what: string])[] = [
  ['unknown_base', 'whether the base is served'],
  ['tensors', "names and shapes against the base's parameters"],
  ['labels', "the number of channels against the base's"],
  ['not_finite', 'zero norms that divide'],
  ['wrong_base', 'whether the factors belong to the base'],
  ['no_effect', "whether any weight differs from the base's"],
  ['selftest', "the network's answer"],
];
const NOT_ALL_CHECKED = 3;

/** `pdora adapter check`: exit 0 valid, 1 not valid, 3 no problem found but not every rule checked. */
export function addAdapterCheck(adapter: Command): void {
  adapter
    .command('check')
    .description('check an adapter file: every problem with its code; exit 0 only if valid, 3 without --base')
    .argument('<file>')
    .option('--base <file>', 'the base it belongs to; without it some rules stay unchecked')
    .action(async (file: string, options: { base?: string }) => {
      for (const path of options.base === undefined ? [file] : [file, options.base]) await checkInputFile(path);
      const bytes = await readBounded(file);
      const problems = options.base === undefined ? await withoutBase(bytes) : await withBase(bytes, options.base);
      if (problems.length > 0) throw invalid('invalid_adapter', file, problems);
      if (options.base !== undefined) {
        print(`valid adapter ${file}`);
        return;
      }
      print(`no problem found, but without --base these rules were not checked:`);
      for (const [code, what] of NEEDS_BASE) print(`  ${code}: ${what}`);
      process.exitCode = NOT_ALL_CHECKED;
    });
}

/** A larger file is invalid by its size alone; a little more than the limit is enough for the rules to say so. */
async function readBounded(file: string): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size <= ADAPTER_MAX_BYTES) return await readFile(file);
  const message = `expected a file of at most ${ADAPTER_MAX_BYTES} bytes, found ${size}`;
  throw invalid('invalid_adapter', file, [{ code: 'container', path: '', message }]);
}

async function withoutBase(bytes: Uint8Array): Promise<readonly FormatProblem[]> {
  try {
    return (await readCheckedFile(bytes, checkHeader, 'invalid_adapter')).problems;
  } catch (error) {
    if (error instanceof ServiceError && error.problems !== undefined) return error.problems;
    throw error;
  }
}

function checkHeader(header: Uint8Array, size: number) {
  return checkAdapterFile(header, size, null);
}

async function withBase(bytes: Uint8Array, base: string): Promise<readonly FormatProblem[]> {
  const checking = spinner('checking');
  try {
    const engine = await openEngine({ basePath: base });
    try {
      return await engine.check(bytes);
    } finally {
      await engine.close();
    }
  } finally {
    checking.stop();
  }
}
