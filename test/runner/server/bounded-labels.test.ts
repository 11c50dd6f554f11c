import { expect, test } from 'vitest';
import { BoundedLabels, OTHER } from '../../../gpu-runner/server/bounded-labels.ts';

test('there are never more labels than allowed, and the rest is other', () => {
  const dropped: string[] = [];
  const labels = new BoundedLabels(3, (name) => dropped.push(name));
  const given = Array.from({ length: 1000 }, (_, n) => labels.use(`adapter-${n % 100}`));
  expect(new Set(given).size - dropped.length).toBeLessThanOrEqual(4);
  expect(given.slice(0, 4)).toEqual(['adapter-0', 'adapter-1', 'adapter-2', OTHER]);
});

test('what is used twice as often as one with a label takes its place, and what is used as often does not', () => {
  const dropped: string[] = [];
  const labels = new BoundedLabels(1, (name) => dropped.push(name));
  const uses = (name: string, times: number) => Array.from({ length: times }, () => labels.use(name)).at(-1);
  expect(uses('old', 3)).toBe('old');
  expect(uses('new', 5)).toBe(OTHER);
  expect(dropped).toEqual([]);
  expect(uses('new', 1)).toBe('new');
  expect(dropped).toEqual(['old']);
  expect(uses('old', 1)).toBe(OTHER);
});
