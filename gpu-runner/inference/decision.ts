import { type Vec3, voxelCount } from '../volume/volume.ts';
import { activate, argmaxLabels, type LabelMap, labelArray, regionLabels } from './labels.ts';
import { type LabelStatistics, LabelTally } from './statistics.ts';
import type { Output, Task } from './volume-work.ts';

/** What is made of the blended logits where they are, so that no volume of all of them is held or sent. */
export type Decision =
  | { readonly kind: 'logits' }
  | { readonly kind: 'probabilities'; readonly activation: 'softmax' | 'sigmoid' }
  | { readonly kind: 'classes' }
  /** The label value of each channel. */
  | { readonly kind: 'regions'; readonly values: readonly number[] };

/** What a decision answers for a whole volume. */
export type Decided =
  /** `[classes, ...shape]` in C order: logits, or probabilities. */
  | { readonly kind: 'values'; readonly values: Float32Array }
  /** Labels `[...shape]` in C order. */
  | { readonly kind: 'labels'; readonly labels: LabelMap; readonly statistics: readonly LabelStatistics[] };

/** What was decided, told apart from its values, which travel as a file. */
export type DecidedKind =
  | { readonly kind: 'values' }
  | {
      readonly kind: 'labels';
      readonly bytesPerLabel: number;
      readonly statistics: readonly LabelStatistics[];
    };

export function valuesOf(decided: Decided): Float32Array | LabelMap {
  return decided.kind === 'values' ? decided.values : decided.labels;
}

export function withoutValues(decided: Decided): DecidedKind {
  if (decided.kind === 'values') return { kind: 'values' };
  const { labels, statistics } = decided;
  return { kind: 'labels', bytesPerLabel: labels.BYTES_PER_ELEMENT, statistics };
}

/** The whole again, for a volume of `shape` voxels; its values are zeros and wait to be filled. */
export function withRoom(about: DecidedKind, classes: number, shape: Vec3): Decided {
  const voxels = voxelCount(shape);
  if (about.kind === 'values') return { kind: 'values', values: new Float32Array(classes * voxels) };
  const { bytesPerLabel, statistics } = about;
  return { kind: 'labels', labels: bytesPerLabel === 1 ? new Uint8Array(voxels) : new Uint16Array(voxels), statistics };
}

/** Takes the planes `[classes, nj, nk]` of the first axis, each once; it may overwrite them. */
export interface Decider {
  plane(index: number, logits: Float32Array): void;
  /** After the last plane. */
  answer(): Decided;
}

/** How a task's logits become what is asked for. */
export function decisionOf({ activation, regions }: Pick<Task, 'activation' | 'regions'>, output: Output): Decision {
  if (output === 'probabilities') return { kind: 'probabilities', activation };
  if (activation === 'softmax') return { kind: 'classes' };
  if (regions === undefined) throw new Error('a sigmoid task has regions');
  return { kind: 'regions', values: regions.map(({ value }) => value) };
}

export function decider(decision: Decision, classes: number, shape: Vec3): Decider {
  if (decision.kind === 'logits') return valueDecider(classes, shape, (logits) => logits);
  if (decision.kind === 'probabilities') {
    return valueDecider(classes, shape, (logits) => activate(logits, classes, decision.activation));
  }
  return labelDecider(decision, classes, shape);
}

function valueDecider(classes: number, shape: Vec3, make: (logits: Float32Array) => Float32Array): Decider {
  const voxels = voxelCount(shape);
  const size = shape[1] * shape[2];
  const values = new Float32Array(classes * voxels);
  return {
    plane(index, logits) {
      const made = make(logits);
      for (let c = 0; c < classes; c += 1) {
        values.set(made.subarray(c * size, (c + 1) * size), c * voxels + index * size);
      }
    },
    answer: () => ({ kind: 'values', values }),
  };
}

function labelDecider(
  decision: Extract<Decision, { kind: 'classes' | 'regions' }>,
  classes: number,
  shape: Vec3,
): Decider {
  const largest = decision.kind === 'classes' ? classes - 1 : Math.max(...decision.values);
  const labels = labelArray(voxelCount(shape), largest);
  const tally = new LabelTally(largest);
  const size = shape[1] * shape[2];
  return {
    plane(index, logits) {
      const plane = labels.subarray(index * size, (index + 1) * size);
      if (decision.kind === 'classes') {
        argmaxLabels(logits, classes, plane);
        tally.addClasses(logits, plane);
      } else {
        regionLabels(logits, decision.values, plane);
        tally.addRegions(logits, decision.values, plane);
      }
    },
    answer: () => ({ kind: 'labels', labels, statistics: tally.statistics() }),
  };
}
