import type { Tensor } from '../../gpu-runner/adapter/compiled.ts';
import type { LowRankTarget } from '../../schemas/target.ts';

/** How an adapter stores one changed parameter. */
export type Stored =
  | { readonly kind: 'low-rank'; readonly target: LowRankTarget; readonly roles: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'delta'; readonly delta: Tensor }
  | { readonly kind: 'full'; readonly full: Tensor };

/** A parameter that a source changes. */
export interface Change {
  readonly parameter: string;
  readonly stored: Stored;
  /** The source's own weight, row-major, by its own formula: what the stored form must come to. */
  readonly expected: ArrayLike<number>;
}

/** `W' - W0` of a parameter as a dense tensor of float32. */
export function deltaOf(base: Tensor, expected: ArrayLike<number>): Tensor {
  return { shape: base.shape, data: base.data.map((value, at) => (expected[at] ?? 0) - value) };
}
