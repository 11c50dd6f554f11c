import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { AdapterManifest, Target } from '../../schemas/manifest.ts';
import { checkAdapterFile } from '../../schemas/rules.ts';
import type { SafetensorsHeader } from '../../schemas/safetensors.ts';
import { CliError } from '../failure.ts';
import { sha256Hex } from '../files.ts';
import { checkHeaderOf } from '../model-file.ts';
import { bytes, print, printJson, table } from '../print.ts';
import { inWords } from '../verdict.ts';

/** `pdora adapter inspect`: what a file says about itself, from its header alone. */
export function addAdapterInspect(adapter: Command): void {
  adapter
    .command('inspect')
    .description("show an adapter file's methods, ranks, sizes, labels and provenance")
    .argument('<file>')
    .option('--json', 'as JSON')
    .action(async (file: string, options: { json?: true }) => {
      const checked = await checkHeaderOf(file, (header, size) => checkAdapterFile(header, size, null));
      if (!checked.ok) {
        throw new CliError('invalid_adapter', `${file}: ${checked.error.map(inWords).join('; ')}`);
      }
      const { manifest, header } = checked.value;
      const summary = {
        file: { bytes: (await stat(file)).size, digest: `sha256:${await sha256Hex(file)}` },
        tensors: header.tensors.size,
        methods: methodsOf(manifest, header),
        ...manifest,
      };
      if (options.json) printJson(summary);
      else describe(summary);
    });
}

interface MethodUse {
  readonly method: string;
  readonly rank: number | null;
  readonly layers: number;
  readonly parameters: number;
}

interface Summary extends AdapterManifest {
  readonly file: { readonly bytes: number; readonly digest: string };
  readonly tensors: number;
  readonly methods: readonly MethodUse[];
}

/** Targets alike in everything but the layer, with how many numbers their tensors hold. */
function methodsOf(manifest: AdapterManifest, header: SafetensorsHeader): MethodUse[] {
  const uses = new Map<string, MethodUse>();
  const add = (method: string, rank: number | null, parameter: string): void => {
    const key = `${method} ${rank}`;
    const before = uses.get(key) ?? { method, rank, layers: 0, parameters: 0 };
    const held = numbersOf(parameter, header);
    uses.set(key, { ...before, layers: before.layers + 1, parameters: before.parameters + held });
  };
  for (const target of manifest.targets) add(variant(target), 'rank' in target ? target.rank : null, target.parameter);
  for (const parameter of manifest.replaced) add('replaced', null, parameter);
  return [...uses.values()];
}

function variant(target: Target): string {
  const form = 'form' in target ? ` ${target.form}` : '';
  return `${target.method}${form}${'norm_axis' in target ? ` axis ${target.norm_axis}` : ''}`;
}

function numbersOf(parameter: string, header: SafetensorsHeader): number {
  let total = 0;
  for (const { name, shape } of header.tensors.values()) {
    if (name.startsWith(`${parameter}::`)) total += shape.reduce((product, side) => product * side, 1);
  }
  return total;
}

function describe(s: Summary): void {
  const { roi_size: roi, overlap, blend } = s.inference;
  const { orientation, spacing, intensity } = s.preprocessing;
  print(
    table([
      ['name', s.name],
      ['description', s.description],
      ['file', `${bytes(s.file.bytes)}, ${s.tensors} tensors`],
      ['digest', s.file.digest],
      ['base', s.base],
      ['channels', s.channels.join(', ')],
      [
        'preprocessing',
        `${orientation ?? 'any orientation'}, ${spacing?.join(' x ') ?? 'any spacing'}, ${intensity.kind}`,
      ],
      ['windows', `${roi.join(' x ')}, overlap ${overlap}, ${blend}`],
      ['licence', s.licence],
      ['intended use', s.intended_use],
    ]),
  );
  print('');
  const rows = s.methods.map((m) => [
    m.method,
    m.rank === null ? '' : String(m.rank),
    String(m.layers),
    String(m.parameters),
  ]);
  print(table([['method', 'rank', 'layers', 'parameters'], ...rows]));
  print('');
  print(table([['label', 'name'], ...s.labels.map((label) => [String(label.value), label.name])]));
  print('');
  print(`provenance ${JSON.stringify(s.provenance)}`);
}
