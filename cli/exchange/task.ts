import { type BaseManifest, headChannels } from '../../schemas/manifest.ts';
import { sharedKeys } from '../../schemas/manifest-parts.ts';
import { usage } from '../failure.ts';

/** What turns logits into labels, and what turns a volume into the network's input. */
const OF_THE_HEAD = ['activation', 'labels', 'regions', 'postprocessing'] as const;
const OF_THE_INPUT = ['channels', 'preprocessing', 'inference'] as const;

export interface ChosenTask {
  /** The manifest's keys but the self-test, as they were given: the format's rules read them. */
  readonly keys: Readonly<Record<string, unknown>>;
  /** Which of them are the base's, for want of others. */
  readonly fromBase: readonly string[];
}

/**
 * The keys of a manifest that no weights can tell: those given, else the base's. A head that is not the base's has
 * labels that only its maker knows. Throws `usage` where they are missing.
 */
export function chooseTask(
  given: Readonly<Record<string, unknown>>,
  base: BaseManifest,
  head: { readonly changed: boolean; readonly channels: number },
): ChosenTask {
  const strange = Object.keys(given).find((key) => key === 'selftest' || !Object.hasOwn(sharedKeys, key));
  if (strange !== undefined) throw usage(`the manifest given may not have ${strange}: that comes from the weights`);
  const givesHead = OF_THE_HEAD.some((key) => given[key] !== undefined);
  if (head.changed && !givesHead) {
    throw usage(
      `the head is not the base's: give --labels FILE.json with ${head.channels} labels, or --manifest FILE.json with ` +
        `labels (and activation and regions, where channels overlap); the base's head has ${headChannels(base)} channels`,
    );
  }
  const keys: Record<string, unknown> = { activation: 'softmax', ...given };
  const fromBase: string[] = [];
  const inherit = (key: (typeof OF_THE_HEAD | typeof OF_THE_INPUT)[number]) => {
    if (given[key] !== undefined || base[key] === undefined) return;
    keys[key] = base[key];
    fromBase.push(key);
  };
  if (!givesHead) OF_THE_HEAD.forEach(inherit);
  OF_THE_INPUT.forEach(inherit);
  return { keys, fromBase };
}

/** Labels as a list of names, or of the manifest's own objects, in the order of their values. */
export function labelsOf(list: unknown): unknown[] {
  if (!Array.isArray(list)) throw usage('--labels: expected a JSON list of names or of {"value", "name", …}');
  return list.map((label: unknown, value) => (typeof label === 'string' ? { value, name: label } : label));
}
