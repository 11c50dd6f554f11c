import { Buffer } from 'node:buffer';
import type { Page } from '../store/words.ts';

/** A cursor is the last item's place in the order, so that a list goes on where it was whatever came or went since. */
function toCursor(place: string): string {
  return Buffer.from(place).toString('base64url');
}

function fromCursor(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}

/** One more than a page, so that it is known whether another follows. */
export function pageOf<T>(query: { cursor?: string | undefined; limit: number }, parse: (place: string) => T): Page<T> {
  const after = query.cursor === undefined ? null : parse(fromCursor(query.cursor));
  return { after, limit: query.limit + 1 };
}

export function paged<T, U>(items: readonly T[], limit: number, show: (item: T) => U, place: (item: T) => string) {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const more = items.length > limit && last !== undefined;
  return { data: shown.map(show), next_cursor: more ? toCursor(place(last)) : null };
}
