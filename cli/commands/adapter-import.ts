import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { NAME_PATTERN } from '../../schemas/names.ts';
import { isRecord } from '../../schemas/record.ts';
import type { Change } from '../exchange/change.ts';
import { importAdapter } from '../exchange/import-adapter.ts';
import { readJson, readSource } from '../exchange/source.ts';
import { labelsOf } from '../exchange/task.ts';
import { withEngine } from '../exchange/with-engine.ts';
import { usage } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { checkOutputFolder, writeAtomically } from '../output.ts';
import { bytes, print, table } from '../print.ts';

interface Options {
  base: string;
  output: string;
  name?: string;
  labels?: string;
  manifest?: string;
  initial?: string;
}

/** `pdora adapter import`: an adapter file of what another program trained. */
export function addAdapterImport(adapter: Command): void {
  adapter
    .command('import')
    .description('make an adapter file of a PEFT folder or of a fine-tuned state dict (safetensors)')
    .argument('<source>')
    .requiredOption('--base <file>', 'the base it was trained from')
    .requiredOption('-o, --output <file>', 'the adapter file to write')
    .option('--name <name>', "the adapter's name (else the manifest's, else the source's)")
    .option('--labels <file.json>', 'a list of names or labels, for a head of its own')
    .option('--manifest <file.json>', 'any keys of the manifest that the weights cannot tell')
    .option('--initial <folder>', 'the PEFT adapter at its start, for PiSSA that was not converted')
    .action(async (path: string, options: Options) => {
      await checkInputFile(options.base);
      await checkOutputFolder(options.output);
      const given = await givenKeys(path, options);
      const source = await readSource(path, options.initial);
      const made = await withEngine(options.base, 'importing', (engine) => importAdapter(engine, source, given));
      await writeAtomically(options.output, made.file);
      print(
        table([
          ['name', String(given['name'])],
          ...countForms(made.changes).map(([form, count]) => [form, `${count} parameters`]),
          ["the base's own", made.fromBase.join(', ') || 'nothing'],
          ['difference to the source', made.miss.toExponential(1)],
          ['file', `${options.output}, ${bytes(made.file.byteLength)}`],
        ]),
      );
    });
}

async function givenKeys(path: string, { name, labels, manifest }: Options): Promise<Record<string, unknown>> {
  const read = manifest === undefined ? {} : await readJson(manifest);
  if (!isRecord(read)) throw usage('--manifest: expected a JSON object with keys of the manifest');
  const given = { ...read, ...(labels === undefined ? {} : { labels: labelsOf(await readJson(labels)) }) };
  const own = basename(resolve(path)).replace(/\.safetensors$/, '');
  const chosen = name ?? read['name'] ?? own;
  if (typeof chosen === 'string' && NAME_PATTERN.test(chosen)) return { ...given, name: chosen };
  throw usage(`this is no adapter's name: ${JSON.stringify(chosen)}; give --name`);
}

function countForms(changes: readonly Change[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { stored } of changes) {
    const { target } = 'target' in stored ? stored : { target: null };
    const form = target === null ? stored.kind : `${target.method} of rank ${target.rank}`;
    counts.set(form, (counts.get(form) ?? 0) + 1);
  }
  return [...counts];
}
