/**
 * Times two calls in turn (A B A B …), so that whatever else the machine does meets both alike: milliseconds of each.
 * The first `warm` turns do not count; which of the two goes first changes with every turn.
 */
export async function inTurns(
  calls: { readonly a: () => Promise<unknown>; readonly b: () => Promise<unknown> },
  { turns, warm }: { readonly turns: number; readonly warm: number },
): Promise<{ a: number[]; b: number[] }> {
  const times = { a: [] as number[], b: [] as number[] };
  for (let turn = -warm; turn < turns; turn++) {
    const order = turn % 2 === 0 ? (['a', 'b'] as const) : (['b', 'a'] as const);
    for (const which of order) {
      const began = performance.now();
      await calls[which]();
      if (turn >= 0) times[which].push(performance.now() - began);
    }
  }
  return times;
}
