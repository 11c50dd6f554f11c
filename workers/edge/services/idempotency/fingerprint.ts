import { createHash } from 'node:crypto';

/** What identifies a call: its method and path with query, and its body's length and content. */
export function fingerprintOf(call: {
  readonly method: string;
  readonly url: string;
  readonly length: number;
  /** Its digest where that is known, or itself where it is short. */
  readonly content: string | null;
}): string {
  const { pathname, searchParams } = new URL(call.url);
  searchParams.sort();
  const lines = [call.method, `${pathname}?${searchParams.toString()}`, String(call.length), call.content ?? ''];
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
