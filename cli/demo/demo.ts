import { join } from 'node:path';
import type { Client } from '../client.ts';
import { CliError } from '../failure.ts';
import { sha256Hex } from '../files.ts';
import { writeAtomically } from '../output.ts';
import { print, table } from '../print.ts';
import { CASES, type Case, DEEP_STRUCTURES, METASTASIS, otherTask, type Task } from './cases.ts';
import { stack } from './picture.ts';
import { type CaseResult, folderOf, prepareCase, runCase, scoreSwapped, segmentCase } from './run-case.ts';
import { type Customer, welcome } from './tenants.ts';

/** Far lower: what the wrong adapter may reach at most. */
const SWAPPED_DICE_MOST = 0.3;

/** The whole story against a running service; throws where something promised does not hold. */
export async function runDemo(admin: Client, output: string, summary: string): Promise<void> {
  const customers = new Map<Task, Customer>();
  for (const task of [METASTASIS, DEEP_STRUCTURES]) {
    const customer = await welcome(admin, task);
    customers.set(task, customer);
    print(`tenant ${task.tenant} uploaded ${task.adapter}: ready, ${customer.digest}`);
  }

  print('\nheads that no training has seen, each segmented by adapter ID:');
  const results = new Map<Case, CaseResult>();
  for (const one of CASES) {
    await prepareCase(output, one);
    const result = await runCase(output, one, customerOf(customers, one.task));
    results.set(one, result);
    print(`  ${one.name}: ${(result.milliseconds / 1000).toFixed(1)} s, ${join(folderOf(output, one), 'picture.png')}`);
  }
  const swapped = new Map<Case, number>();
  for (const one of CASES.filter((each) => each.swapped)) {
    const { tenant, adapter } = otherTask(one.task);
    swapped.set(one, await scoreSwapped(output, one, admin, `${tenant}/${adapter}`));
  }

  print(`\n${scoreTable(results)}`);
  print('\nthe same heads with the adapters swapped:');
  for (const [one, score] of swapped) {
    print(`  ${one.name} by ${otherTask(one.task).adapter}: Dice ${score.toFixed(3)}`);
  }
  const pictures = [...results].filter(([one]) => one.inSummary).map(([, { picture }]) => picture);
  await writeAtomically(summary, stack(pictures).toPng());
  print(`\nall together: ${summary}`);

  await showIsolation(output, customers);
  await showRepeat(output, customers, results);
  checkPromises(results, swapped);
}

function customerOf(customers: ReadonlyMap<Task, Customer>, task: Task): Customer {
  const customer = customers.get(task);
  if (customer === undefined) throw new Error(`no tenant has the task ${task.adapter}`);
  return customer;
}

function scoreTable(results: ReadonlyMap<Case, CaseResult>): string {
  const rows = [...results].flatMap(([one, { scores, made, milliseconds }]) =>
    scores.map((score, n) => [
      n === 0 ? one.name : '',
      score.label,
      score.dice.toFixed(3),
      n === 0 ? made.cache : '',
      n === 0 ? `${Math.round(made.phases.get('infer') ?? 0)} ms` : '',
      n === 0 ? `${Math.round(milliseconds)} ms` : '',
      n === 0 ? `${made.adapterId}@${made.version}` : '',
    ]),
  );
  return table([['case', 'label', 'Dice', 'cache', 'network', 'total', 'adapter'], ...rows]);
}

/** One tenant's adapter does not exist for another. */
async function showIsolation(output: string, customers: ReadonlyMap<Task, Customer>): Promise<void> {
  const [one] = CASES;
  if (one === undefined) return;
  const stranger = customerOf(customers, otherTask(one.task));
  const ref = `${one.task.tenant}/${one.task.adapter}`;
  const outcome = await segmentCase(output, one, stranger.client, ref, 'labels-forbidden.nii.gz')
    .then(() => 'allowed')
    .catch((error: unknown) => (error instanceof CliError ? error.code : String(error)));
  if (outcome !== 'not_found')
    throw new CliError('demo', `${ref} should be not_found for another tenant, but: ${outcome}`);
  print(`\n${stranger.task.tenant} asks for ${ref}: not_found, as it should be`);
}

/** After all the other tasks, the first case again: an adapter leaves no trace in the shared network. */
async function showRepeat(
  output: string,
  customers: ReadonlyMap<Task, Customer>,
  results: ReadonlyMap<Case, CaseResult>,
): Promise<void> {
  const [first] = CASES;
  const before = first === undefined ? undefined : results.get(first);
  if (first === undefined || before === undefined) return;
  const digest = await sha256Hex(before.labelFile);
  const { labelFile } = await runCase(output, first, customerOf(customers, first.task));
  if ((await sha256Hex(labelFile)) !== digest)
    throw new CliError('demo', `${first.name} gave another answer the second time`);
  print(`${first.name} once more, after the other tasks: the same bytes`);
}

function checkPromises(results: ReadonlyMap<Case, CaseResult>, swapped: ReadonlyMap<Case, number>): void {
  for (const task of [METASTASIS, DEEP_STRUCTURES]) {
    const scores = [...results].filter(([one]) => one.task === task).flatMap(([, result]) => result.scores);
    const mean = scores.reduce((sum, score) => sum + score.dice, 0) / scores.length;
    if (!(mean >= task.promisedDice)) {
      throw new CliError(
        'demo',
        `${task.adapter} reached a Dice of ${mean.toFixed(3)}, promised are ${task.promisedDice}`,
      );
    }
    print(`${task.adapter}: mean Dice ${mean.toFixed(3)}, promised ${task.promisedDice.toFixed(2)}`);
  }
  for (const [one, score] of swapped) {
    if (score <= SWAPPED_DICE_MOST) continue;
    throw new CliError(
      'demo',
      `${one.name} by the wrong adapter reached ${score.toFixed(3)}: the adapter makes no difference`,
    );
  }
}
