/** A run as far as its place in the line is concerned. */
export interface Placed {
  readonly id: number;
  readonly tenant: string;
}

/**
 * Which of the waiting runs goes to the device next: of the tenant that has the fewest there, the first to come.
 * Null where none waits.
 */
export function nextWaiting<T extends Placed>(waiting: Iterable<T>, active: Iterable<Placed>): T | null {
  const counts = new Map<string, number>();
  for (const { tenant } of active) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
  const countOf = ({ tenant }: Placed) => counts.get(tenant) ?? 0;
  let best: T | null = null;
  for (const run of waiting) {
    if (best === null || countOf(run) < countOf(best) || (countOf(run) === countOf(best) && run.id < best.id))
      best = run;
  }
  return best;
}
