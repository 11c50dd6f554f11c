import { readFile, writeFile } from 'node:fs/promises';
import type { EdgeCost } from '../edge-cost.ts';
import type { Limit } from '../limit.ts';
import type { AgainstMonai } from '../monai.ts';
import type { NodeCost } from '../profile.ts';
import type { RegistryCost } from '../registry-size.ts';
import type { SwapCost } from '../swap-cost.ts';
import type { Finding } from './finding.ts';
import type { Circumstances } from './machine.ts';

const README = new URL('../README.md', import.meta.url);

/** Writes the tables of the README anew from the recorded results; all else in it stays. */
export async function updateReadme(): Promise<void> {
  let text = await readFile(README, 'utf8');
  text = withTable(text, 'edge-cost', edgeCostTable(await recorded('edge-cost')));
  for (const name of ['fairness', 'swap', 'cold', 'working-set', 'long-run']) {
    text = withTable(text, name, findingTable(await recorded(name)));
  }
  text = withTable(text, 'swap-cost', swapCostTable(await recorded('swap-cost')));
  text = withTable(text, 'registry-size', registrySizeTable(await recorded('registry-size')));
  text = withTable(text, 'limit', limitTable(await recorded('limit')));
  text = withTable(text, 'monai', monaiTable(await recorded('monai')));
  text = withTable(text, 'profile', profileTable(await recorded('profile')));
  await writeFile(README, text);
}

interface Recorded<T> extends Circumstances {
  readonly results: readonly T[];
}

async function recorded<T>(name: string): Promise<Recorded<T> | null> {
  const text = await readFile(new URL(`../results/${name}.json`, import.meta.url), 'utf8').catch(() => null);
  return text === null ? null : JSON.parse(text);
}

function withTable(text: string, name: string, shown: string): string {
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [text.indexOf(from), text.indexOf(to)];
  if (start < 0 || end < start) throw new Error(`the README has no place for ${name}`);
  return `${text.slice(0, start + from.length)}\n${shown}\n${text.slice(end)}`;
}

function edgeCostTable(found: Recorded<EdgeCost> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map((one) => [
    one.answer,
    one.megabytes,
    `${one.direct.p50} · ${one.direct.p99}`,
    `${one.edge.p50} · ${one.edge.p99}`,
    `${one.ratioP50} · ${one.ratioP99}`,
    one.addedMs,
    one.addedMsPerMB,
    one.allowedMs,
  ]);
  const head = ['answer', 'MB', 'direct p50 · p99, ms', 'edge p50 · p99, ms', 'ratio p50 · p99', 'added p50, ms'];
  return [table([...head, 'a MB', 'allowed, ms'], rows), told(found)].join('\n\n');
}

function findingTable(found: Recorded<Finding> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map((one) => [one.rule, one.found, one.allowed, one.detail]);
  return [table(['what', 'found', 'allowed', 'from'], rows), told(found)].join('\n\n');
}

function swapCostTable(found: Recorded<SwapCost> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map((one) => [
    one.adapter,
    `${one.megabytes} · ${one.compiledMegabytes}`,
    one.read,
    one.compile,
    one.write,
    one.handOver,
    one.fuse,
    one.window,
  ]);
  const head = ['adapter', 'MB, file · compiled', 'read', 'compile', 'write', 'hand over', 'fuse', 'window'];
  return [table(head, rows), told(found)].join('\n\n');
}

function registrySizeTable(found: Recorded<RegistryCost> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map(({ call, small, large, answeredBytes, ratioP50, allowedRatio }) => [
    call,
    `${answeredBytes.small} · ${answeredBytes.large}`,
    `${small.p50} · ${small.p99}`,
    `${large.p50} · ${large.p99}`,
    ratioP50,
    allowedRatio ?? 'more is answered',
  ]);
  const head = [
    'call',
    'bytes answered',
    '10 adapters p50 · p99, ms',
    '10,000 adapters p50 · p99, ms',
    'ratio p50',
    'allowed',
  ];
  return [table(head, rows), told(found)].join('\n\n');
}

function limitTable(found: Recorded<Limit> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map((one) => [
    one.featureSize,
    one.gigaOperations,
    one.windowMs,
    one.gflops,
    `${one.sgemm.numpy} · ${one.sgemm.onnxruntime}`,
    one.share,
    one.wanted,
  ]);
  const head = [
    'feature size',
    '10^9 operations',
    'window, ms',
    'GFLOP/s',
    'SGEMM numpy · onnxruntime',
    'share',
    'wanted',
  ];
  return [table(head, rows), told(found)].join('\n\n');
}

function monaiTable(found: Recorded<AgainstMonai> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results.map(({ featureSize, volume, seconds, ratio, wanted, agreement }) => [
    featureSize,
    volume,
    seconds.monai,
    seconds.ours,
    ratio,
    wanted,
    `${agreement.all} · ${agreement.foreground}`,
  ]);
  const head = ['feature size', 'volume', 'MONAI, s', 'here, s', 'ratio', 'wanted', 'same label, all · foreground'];
  return [table(head, rows), told(found)].join('\n\n');
}

function profileTable(found: Recorded<NodeCost> | null): string {
  if (found === null) return 'Not measured yet.';
  const rows = found.results
    .filter(({ share }) => share >= 0.01)
    .map((one) => [
      one.featureSize,
      one.op,
      one.nodes,
      one.milliseconds,
      `${Math.round(100 * one.share)} %`,
      one.gflops ?? '',
      one.gigabytesPerSecond,
    ]);
  const head = ['feature size', 'node', 'nodes', 'ms', 'share', 'GFLOP/s', 'GB/s'];
  return [table(head, rows), told(found)].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function told({ date, commit, cpu, cores, memoryGiB, load, node, wrangler, workerd }: Circumstances): string {
  const machine = `${cpu}, ${cores} cores, ${memoryGiB} GiB, load ${load} at the start`;
  return `${date.slice(0, 10)}, commit ${commit}: ${machine}; Node ${node}, wrangler ${wrangler}, workerd ${workerd}.`;
}
