import { randomNumbers } from '../../support/safetensors-file.ts';

/** A whole number from 0 to below `count`, the same ones in the same order for a seed. */
export type Choose = (count: number) => number;

export function chooser(seed: number): Choose {
  const numbers = randomNumbers(1000 + seed, 10_000);
  let next = 0;
  return (count) => Math.floor((((numbers[next++ % numbers.length] ?? 0) + 1) / 2) * count) % count;
}

/** One of several, which must not be none. */
export function oneOf<T>(choose: Choose, list: readonly T[]): T {
  const item = list[choose(list.length)];
  if (item === undefined) throw new Error('nothing to choose from');
  return item;
}
