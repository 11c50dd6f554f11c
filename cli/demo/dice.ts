/** Dice overlap of one label in two label maps: 2 |A and B| / (|A| + |B|), 1 where both are empty. */
export function dice(a: ArrayLike<number>, b: ArrayLike<number>, is: (label: number) => boolean): number {
  let both = 0;
  let sum = 0;
  for (let n = 0; n < a.length; n++) {
    const inA = is(a[n] ?? 0);
    const inB = is(b[n] ?? 0);
    if (inA) sum += 1;
    if (inB) sum += 1;
    if (inA && inB) both += 1;
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}
