import type { PhantomOptions } from '../phantom/phantom.ts';
import { DEEP_FILE, METASTASIS_FILE } from '../phantom/write.ts';

/** A tenant with its adapter and what the adapter promises on heads it has never seen. */
export interface Task {
  readonly tenant: string;
  readonly adapter: string;
  /** Of the phantom's files, the one that holds the truth. */
  readonly truthFile: string;
  /** Mean Dice over the cases. */
  readonly promisedDice: number;
}

export interface Case {
  readonly name: string;
  readonly task: Task;
  readonly phantom: PhantomOptions & { readonly kind: 'healthy' | 'metastases' };
  /** Also segmented by the other task's adapter, to show that the adapter is what makes the answer. */
  readonly swapped: boolean;
  /** Shown in the summary picture. */
  readonly inSummary: boolean;
}

export const METASTASIS: Task = {
  tenant: 'neuro-oncology',
  adapter: 'metastasis',
  truthFile: METASTASIS_FILE,
  promisedDice: 0.8,
};

export const DEEP_STRUCTURES: Task = {
  tenant: 'memory-clinic',
  adapter: 'deep-structures',
  truthFile: DEEP_FILE,
  promisedDice: 0.9,
};

/** Seeds far from those of the training configurations, which stay below a thousand. */
export const CASES: readonly Case[] = [
  {
    name: 'metastasis-2mm',
    task: METASTASIS,
    phantom: { seed: 70_004, kind: 'metastases', grid: '2mm' },
    swapped: true,
    inSummary: false,
  },
  {
    name: 'metastasis-anisotropic',
    task: METASTASIS,
    phantom: { seed: 70_005, kind: 'metastases', grid: 'aniso' },
    swapped: false,
    inSummary: true,
  },
  {
    name: 'deep-structures-2mm',
    task: DEEP_STRUCTURES,
    phantom: { seed: 70_011, kind: 'healthy', grid: '2mm' },
    swapped: true,
    inSummary: false,
  },
  {
    name: 'deep-structures-oblique',
    task: DEEP_STRUCTURES,
    phantom: { seed: 70_012, kind: 'healthy', grid: 'oblique' },
    swapped: false,
    inSummary: true,
  },
];

/** The task whose adapter is used in place of the right one. */
export function otherTask(task: Task): Task {
  return task === METASTASIS ? DEEP_STRUCTURES : METASTASIS;
}
