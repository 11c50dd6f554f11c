import { readAdapter } from '../../gpu-runner/adapter/read-adapter.ts';
import type { Engine } from '../../gpu-runner/local.ts';
import { ServiceError } from '../../schemas/errors.ts';
import type { SelfTest } from '../../schemas/manifest.ts';
import { selftestSchema } from '../../schemas/manifest-parts.ts';
import { part } from '../../schemas/manifest-rules.ts';
import { selftestInput } from '../../schemas/selftest.ts';
import { CliError } from '../failure.ts';
import { invalid } from '../verdict.ts';
import { encodeAdapter, headOf, largestMiss, selftestPlan } from './assemble.ts';
import type { Change } from './change.ts';
import type { Source } from './source.ts';
import { chooseTask } from './task.ts';

/** What low-rank factors may leave of a difference (`stateDictChanges`), and float32 of a fused weight. */
const MISS_MAX = 3e-5;

export interface Imported {
  readonly file: Uint8Array;
  readonly changes: readonly Change[];
  readonly fromBase: readonly string[];
  /** Relative difference to the source's weights, the largest of all parameters. */
  readonly miss: number;
}

/**
 * An adapter's file of a source. `given` are the manifest's keys that the user gave, `name` among them. The self-test
 * is this network's own answer, so before it is written the file is held against the source's weights.
 */
export async function importAdapter(
  engine: Engine,
  source: Source,
  given: Readonly<Record<string, unknown>>,
): Promise<Imported> {
  const { base } = engine;
  const changes = source.changesOf(base);
  if (changes.length === 0) throw new CliError('no_effect', "nothing to import: every weight is the base's");
  const head = headOf(changes, base);
  const { keys, fromBase } = chooseTask(given, base.manifest, head);
  const provenance = { importer: 'pdora adapter import', source: source.provenance, ...provenanceOf(keys) };
  const write = (selftest: SelfTest) => encodeAdapter(changes, { ...keys, base: base.digest, selftest, provenance });

  const plan = selftestPlan(head.channels, windowOf(keys['inference']) ?? base.manifest.inference.roi_size);
  const untested = await named(() => readAdapter(write(plan), 'sha256:untested', base));
  const miss = largestMiss(changes, untested, base);
  // A NaN is no small difference.
  if (!(miss <= MISS_MAX)) {
    throw new CliError(
      'internal',
      `the adapter would differ from its source by ${miss.toExponential(1)}; nothing was written`,
    );
  }
  const [x, y, z] = plan.roi_size;
  const input = selftestInput(base.manifest.architecture.in_channels * x * y * z);
  const logits = await engine.runWindow({ adapter: untested, window: plan.roi_size, input });
  const file = write({ ...plan, expected: plan.positions.map((position) => logits[position] ?? Number.NaN) });
  await named(() => engine.admit(file));
  return { file, changes, fromBase, miss };
}

/** Problems of the file are the import's own report. */
async function named<T>(reading: () => Promise<T>): Promise<T> {
  try {
    return await reading();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.problems === undefined) throw error;
    throw invalid('invalid_adapter', 'the imported adapter', error.problems);
  }
}

function windowOf(inference: unknown): SelfTest['roi_size'] | undefined {
  if (typeof inference !== 'object' || inference === null || !('roi_size' in inference)) return undefined;
  return part(selftestSchema.shape.roi_size, inference.roi_size);
}

function provenanceOf({ provenance }: Readonly<Record<string, unknown>>): object {
  return typeof provenance === 'object' && provenance !== null ? provenance : {};
}
