/**
 * The self-test's input, over the flat index of `[1, in_channels, …roi_size]`:
 * `((i * 2654435761 mod 2^32) / 2^31) - 1`, rounded to float32. `Math.imul` keeps the product exact.
 */
export function selftestInput(length: number): Float32Array {
  const input = new Float32Array(length);
  for (let i = 0; i < length; i++) input[i] = (Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 31 - 1;
  return input;
}

/** How far a logit may be from the expected one: `1e-3 * max(1, max|expected|)`. */
export function selftestTolerance(expected: readonly number[]): number {
  return 1e-3 * expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
}
