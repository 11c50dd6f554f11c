import { UPLOAD_PART_BYTES } from '../../../../schemas/limits.ts';
import type { PartRecord } from '../../store/multipart-store.ts';

/** The sizes of the parts of a body of `size` bytes, in order: all alike but for the last. Parts are numbered from 1. */
export function partSizes(size: number): number[] {
  const count = Math.ceil(size / UPLOAD_PART_BYTES);
  return Array.from({ length: count }, (_, i) => Math.min(UPLOAD_PART_BYTES, size - i * UPLOAD_PART_BYTES));
}

/** The numbers of the parts that did not come yet. */
export function missingParts(size: number, there: readonly PartRecord[]): number[] {
  const numbers = new Set(there.map(({ part }) => part));
  return partSizes(size).flatMap((_, i) => (numbers.has(i + 1) ? [] : [i + 1]));
}
