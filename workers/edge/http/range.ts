import { ServiceError } from '../../../schemas/errors.ts';
import type { ByteRange } from '../store/blob-store.ts';

/**
 * The one range that a `Range` header asks of `size` bytes (RFC 9110, 14). Null means the whole: without a header, with
 * several ranges, in another unit, or where it cannot be read. Throws `range_not_satisfiable`.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=([0-9]*)-([0-9]*)$/.exec(header?.replaceAll(' ', '') ?? '');
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const begin = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < begin) return null;
  if (begin >= size || end <= begin) {
    throw new ServiceError('range_not_satisfiable', `Range: expected bytes of the file's ${size}.`);
  }
  return { offset: begin, length: end - begin };
}
