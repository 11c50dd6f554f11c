import type { Card } from '../../store/words.ts';

/** Names with the values they have in a label map, by value. The background is no label to MONAI Label's clients. */
export function labelNames({ labels, regions }: Pick<Card, 'labels' | 'regions'>): Record<string, number> {
  const named = (regions ?? labels).filter(({ value }) => value !== 0);
  return Object.fromEntries(
    named.toSorted((a, b) => a.value - b.value).map(({ name, value }): [string, number] => [name, value]),
  );
}
