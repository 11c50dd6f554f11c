import type { Command } from 'commander';
import { DEADLINE_MAX_SECONDS } from '../../schemas/limits.ts';
import { parseRef } from '../../schemas/names.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { usage, wholeNumber } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { type Image, parseImages } from '../images.ts';
import { checkOutputFolder } from '../output.ts';
import { print, table } from '../print.ts';
import { segmentLocally } from '../segment-local.ts';
import { segmentRemotely } from '../segment-remote.ts';

interface Options extends ConnectionOptions {
  output: string;
  adapter?: string;
  deadline?: number;
  local?: true;
  base?: string;
  probabilities?: string;
}

/** `pdora segment`: through the API, or with `--local` on this machine. */
export function addSegment(program: Command): void {
  withConnection(
    program
      .command('segment')
      .description('segment a volume by adapter, through the API or (--local) on this machine')
      .argument('<image...>', 'file.nii.gz, or CHANNEL=file.nii.gz for each channel')
      .requiredOption('-o, --output <out>', 'the label map, .nii.gz')
      .option('--adapter <ref>', 'name, name@version, tenant/name, sha256:… or __base__; with --local a file')
      .option('--deadline <seconds>', 'how long the service may take', wholeNumber(1, DEADLINE_MAX_SECONDS))
      .option('--local', 'without a server')
      .option('--base <file>', 'with --local: the base; without an adapter its own head answers')
      .option('--probabilities <file>', 'with --local: also write the probabilities, .nii.gz'),
  ).action(async (texts: string[], options: Options) => {
    const images = parseImages(texts);
    const rows = options.local ? await local(images, options) : await remote(images, options);
    print(table([['output', options.output], ...rows]));
  });
}

async function checkFiles(images: readonly Image[], outputs: readonly string[]): Promise<void> {
  for (const output of outputs) {
    if (!output.endsWith('.nii.gz')) throw usage(`an output is written as .nii.gz: ${output}`);
    await checkOutputFolder(output);
  }
  for (const { path } of images) await checkInputFile(path);
}

async function remote(images: readonly Image[], options: Options): Promise<string[][]> {
  if (options.base !== undefined) throw usage('--base goes with --local');
  if (options.probabilities !== undefined) throw usage('--probabilities goes with --local');
  if (options.adapter === undefined) throw usage('--adapter is missing: which task? (__base__ for the base alone)');
  const ref = parseRef(options.adapter);
  if (!ref.ok) throw usage(`${options.adapter}: ${ref.error}`);
  const client = connect(options);
  await checkFiles(images, [options.output]);
  const begin = performance.now();
  const deadline = options.deadline === undefined ? {} : { deadlineSeconds: options.deadline };
  const made = await segmentRemotely(client, { images, adapter: options.adapter, output: options.output, ...deadline });
  return [
    ['adapter', made.adapterId ?? options.adapter],
    ['version', made.version ?? '-'],
    ['adapter digest', made.adapterDigest ?? '-'],
    ['base digest', made.baseDigest],
    ['cache', made.cache],
    ['times', times(made.phases)],
    ['total', milliseconds(performance.now() - begin)],
  ];
}

async function local(images: readonly Image[], options: Options): Promise<string[][]> {
  if (options.base === undefined) throw usage('--local needs --base FILE');
  const outputs = options.probabilities === undefined ? [options.output] : [options.output, options.probabilities];
  await checkFiles(images, outputs);
  for (const file of [options.base, options.adapter ?? options.base]) await checkInputFile(file);
  const begin = performance.now();
  const made = await segmentLocally({
    images,
    base: options.base,
    adapter: options.adapter ?? null,
    output: options.output,
    probabilities: options.probabilities ?? null,
  });
  return [
    ['adapter digest', made.adapterDigest ?? '-'],
    ['base digest', made.baseDigest],
    ['times', times(made.phases)],
    ['total', milliseconds(performance.now() - begin)],
  ];
}

function times(phases: ReadonlyMap<string, number>): string {
  return [...phases].map(([phase, duration]) => `${phase} ${milliseconds(duration)}`).join(', ');
}

function milliseconds(duration: number): string {
  return duration < 1000 ? `${Math.round(duration)} ms` : `${(duration / 1000).toFixed(1)} s`;
}
