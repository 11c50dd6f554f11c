/** What is told of many times in milliseconds. */
export interface Summary {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
}

/** The value below which a share of the values lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function summaryOf(values: readonly number[]): Summary {
  return { calls: values.length, p50: round(percentile(values, 0.5)), p99: round(percentile(values, 0.99)) };
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
