import { describe, expect, it } from 'vitest';
import { selftestInput, selftestTolerance } from '../../schemas/selftest.ts';

describe('the self-test', () => {
  it('has an input by exact whole numbers, rounded to float32', () => {
    const input = selftestInput(3_000_000);
    for (const i of [0, 1, 2, 3, 1000, 2_097_151, 2_999_999]) {
      const remainder = (BigInt(i) * 2_654_435_761n) % 2n ** 32n;
      expect(input[i]).toBe(Math.fround(Number(remainder) / 2 ** 31 - 1));
    }
  });

  it('tolerates 1e-3 of the largest value, of 1 at least', () => {
    expect(selftestTolerance([0.1, -0.2])).toBe(1e-3);
    expect(selftestTolerance([3, -20, 7])).toBe(0.02);
  });
});
