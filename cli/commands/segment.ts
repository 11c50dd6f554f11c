import type { Command } from 'commander';
import { DEADLINE_ASYNC_MAX_SECONDS, DEADLINE_MAX_SECONDS } from '../../schemas/limits.ts';
import { parseRef } from '../../schemas/names.ts';
import { formatOf } from '../answer-file.ts';
import type { Client } from '../client.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { usage, wholeNumber } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { type Image, parseImages } from '../images.ts';
import { madeRows, phasesInWords } from '../made.ts';
import { checkOutputFolder } from '../output.ts';
import { milliseconds, print, table } from '../print.ts';
import { bodyOf, isTooLarge } from '../segment-body.ts';
import { type LaterRequest, segmentLater } from '../segment-later.ts';
import { segmentLocally } from '../segment-local.ts';
import { segmentRemotely } from '../segment-remote.ts';

interface Options extends ConnectionOptions {
  output: string;
  adapter?: string;
  deadline?: number;
  async?: true;
  erase?: true;
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
      .argument('<image...>', 'file.nii.gz or .nrrd, or CHANNEL=file for each channel')
      .requiredOption('-o, --output <out>', 'the label map: .nii.gz, or for 3D Slicer .seg.nrrd or .nrrd')
      .option('--adapter <ref>', 'name, name@version, tenant/name, sha256:… or __base__; with --local a file')
      .option('--deadline <seconds>', 'how long the service may take', wholeNumber(1, DEADLINE_ASYNC_MAX_SECONDS))
      .option('--async', 'as a job, with its progress; images too large for one request go so by themselves')
      .option('--erase', 'with --async: erase the job when its label map is written, not after 24 hours')
      .option('--local', 'without a server')
      .option('--base <file>', 'with --local: the base; without an adapter its own head answers')
      .option('--probabilities <file>', 'with --local: also write the probabilities, .nii.gz or .nrrd'),
  ).action(async (texts: string[], options: Options) => {
    const images = parseImages(texts);
    const rows = options.local ? await local(images, options) : await remote(images, options);
    print(table([['output', options.output], ...rows]));
  });
}

async function checkFiles(images: readonly Image[], outputs: readonly string[]): Promise<void> {
  for (const output of outputs) {
    formatOf(output);
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
  const body = await bodyOf(images);
  const later = options.async === true || isTooLarge(body);
  if (!later && (options.deadline ?? 0) > DEADLINE_MAX_SECONDS) {
    throw usage(`a deadline of more than ${DEADLINE_MAX_SECONDS} seconds goes with --async`);
  }
  const begin = performance.now();
  const deadline = options.deadline === undefined ? {} : { deadlineSeconds: options.deadline };
  const request = { body, adapter: options.adapter, output: options.output, ...deadline };
  const rows = later
    ? await asJob(client, { ...request, images, erase: options.erase === true })
    : madeRows(await segmentRemotely(client, request), options.adapter);
  return [...rows, ['total', milliseconds(performance.now() - begin)]];
}

async function asJob(client: Client, request: LaterRequest): Promise<string[][]> {
  const { job, ...made } = await segmentLater(client, request);
  return [['job', request.erase ? `${job} (erased)` : job], ...madeRows(made, request.adapter)];
}

async function local(images: readonly Image[], options: Options): Promise<string[][]> {
  if (options.base === undefined) throw usage('--local needs --base FILE');
  if (options.async || options.erase) throw usage('--async and --erase are of the API and go without --local');
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
    ['times', phasesInWords(made.phases)],
    ['total', milliseconds(performance.now() - begin)],
  ];
}
