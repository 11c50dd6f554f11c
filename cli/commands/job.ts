import type { Command } from 'commander';
import { jobSchema } from '../../schemas/api-jobs.ts';
import { PAGE_MAX_ITEMS } from '../../schemas/limits.ts';
import { BASE_REF } from '../../schemas/names.ts';
import { formatOf } from '../answer-file.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { CliError, usage, wholeNumber } from '../failure.ts';
import { followJob } from '../follow-job.ts';
import { checkSucceeded, endJob, eraseJob, hasEnded, type Job, readJob, writeResult } from '../job.ts';
import { madeRows } from '../made.ts';
import { checkOutputFolder } from '../output.ts';
import { print, printJson, table } from '../print.ts';
import { readReport, reportInWords } from '../report.ts';
import { inWords } from '../verdict.ts';

interface Options extends ConnectionOptions {
  json?: true;
}

const LIMIT_DEFAULT = 50;

/** `pdora job list|show|wait|result|report|cancel|delete`. */
export function addJob(program: Command): void {
  const job = program.command('job').description('asynchronous segmentations (pdora segment --async makes them)');

  withConnection(
    job
      .command('list')
      .description('the newest first')
      .option('--limit <jobs>', 'at most so many', wholeNumber(1), LIMIT_DEFAULT)
      .option('--json', 'as JSON'),
  ).action(async ({ limit, json, ...connection }: Options & { limit: number }) => {
    const found: Job[] = [];
    const query = { limit: Math.min(limit, PAGE_MAX_ITEMS) };
    for await (const one of connect(connection).pages('/v1/segmentations', jobSchema, query)) {
      found.push(one);
      if (found.length === limit) break;
    }
    if (json) printJson(found);
    else print(table([['id', 'status', 'done', 'adapter', 'created', 'ended'], ...found.map(rowOf)]));
  });

  withId(job, 'show', 'how far it is, and how it ended', true).action(async (id: string, options: Options) => {
    show(await readJob(connect(options), id), options);
  });

  withId(job, 'wait', 'until it has ended; fails as it failed', true).action(async (id: string, options: Options) => {
    const ended = await followJob(connect(options), id);
    checkSucceeded(ended);
    show(ended, options);
  });

  withId(job, 'result', 'write its label map, for 24 hours after it was made')
    .requiredOption('-o, --output <out>', 'the label map, .nii.gz, or .nrrd or .seg.nrrd if the job was asked for it')
    .action(async (id: string, { output, ...options }: ConnectionOptions & { output: string }) => {
      const format = formatOf(output);
      await checkOutputFolder(output);
      const client = connect(options);
      const found = await readJob(client, id);
      if (found.format !== format) {
        const name = found.format === 'nrrd' ? '.seg.nrrd' : '.nii.gz';
        throw usage(`this job makes ${name}: give -o a name that ends so [job ${id}]`);
      }
      if (hasEnded(found)) checkSucceeded(found);
      const made = await writeResult(client, found, found.adapter_digest ?? BASE_REF, output);
      print(table([['output', output], ...madeRows(made, found.adapter)]));
    });

  withId(job, 'report', 'what it found: volumes, certainty, warnings', true).action(
    async (id: string, { json, ...connection }: Options) => {
      const report = await readReport(connect(connection), id);
      if (json) printJson(report);
      else print(reportInWords(report));
    },
  );

  withId(job, 'cancel', 'end it before it has a label map').action(async (id: string, options: ConnectionOptions) => {
    const client = connect(options);
    const found = await readJob(client, id);
    if (hasEnded(found)) throw new CliError('conflict', `it has ended (${found.status}) [job ${id}]`);
    const erased = await endJob(client, id);
    print(erased ? `erased ${id}, which had just ended` : `cancelled ${id}`);
  });

  withId(job, 'delete', 'erase one that has ended, with its input and label map').action(
    async (id: string, options: ConnectionOptions) => {
      const client = connect(options);
      const found = await readJob(client, id);
      if (!hasEnded(found)) throw new CliError('in_use', `it is ${found.status}; pdora job cancel ends it [job ${id}]`);
      await eraseJob(client, id);
      print(`deleted ${id}`);
    },
  );
}

function withId(job: Command, name: string, description: string, json = false): Command {
  const command = withConnection(job.command(name).description(description).argument('<id>'));
  return json ? command.option('--json', 'as JSON') : command;
}

function show(job: Job, { json }: Options): void {
  if (json) printJson(job);
  else print(table(facts(job)));
}

function facts(job: Job): string[][] {
  const { problem } = job;
  const rows: [string, string | number | null][] = [
    ['job', job.id],
    ['status', job.status],
    ['done', percent(job)],
    ['adapter', nameOf(job)],
    ['adapter digest', job.adapter_digest],
    ['base digest', job.base_digest],
    ['output', job.output],
    ['attempts', job.attempt],
    ['created', job.created_at],
    ['started', job.started_at],
    ['ended', job.ended_at],
    ['deadline', job.deadline_at],
    ['result until', job.expires_at],
    ['voxels', job.voxels],
    ['problem', problem && `${problem.code}: ${[problem.detail, ...(problem.problems ?? []).map(inWords)].join('; ')}`],
  ];
  return rows.map(([name, value]) => [name, value === null ? '-' : String(value)]);
}

function rowOf(job: Job): string[] {
  return [job.id, job.status, percent(job), nameOf(job), job.created_at, job.ended_at ?? '-'];
}

function nameOf({ adapter, version }: Job): string {
  return version === null ? adapter : `${adapter}@${version}`;
}

function percent({ progress }: Job): string {
  return `${Math.floor(progress * 100)}%`;
}
