import { count } from '../../test/support/network.ts';

/** What a node computes and moves, from the shapes of its inputs and its output. */
export interface NodeWork {
  /** Floating point operations of products, a multiply-add two of them; 0 for what is no product. */
  readonly operations: number;
  /** Of inputs and outputs, each counted once, four bytes a value. */
  readonly bytes: number;
}

export function nodeWork(
  op: string,
  inputs: readonly (readonly number[])[],
  outputs: readonly (readonly number[])[],
): NodeWork {
  const values = [...inputs, ...outputs].reduce((sum, shape) => sum + count(shape), 0);
  return { operations: 2 * products(op, inputs, count(outputs[0] ?? [])), bytes: 4 * values };
}

function products(op: string, [a = [], b = []]: readonly (readonly number[])[], results: number): number {
  switch (op) {
    case 'Conv':
      return results * count(b.slice(1));
    case 'ConvTranspose':
      return count(a) * count(b.slice(1));
    case 'MatMul':
    case 'FusedMatMul':
      return results * (a.at(-1) ?? 0);
    case 'Gemm':
      // Weights are fused as [rank, in] by [out, rank], the head is [classes, in] by [rows, in], all others are [rows, in] by [in, out].
      return results * (a[1] !== b[0] && a[0] === b[1] ? (a[0] ?? 0) : (a[1] ?? 0));
    default:
      return 0;
  }
}
