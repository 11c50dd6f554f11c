import { JSON_DEPTH_MAX } from './limits.ts';
import { fail, ok, type Result } from './result.ts';

export interface JsonFault {
  /** Where in the document: `targets[3].rank`, or empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** The open object or array around the scanner's place. */
interface Frame {
  /** An object's keys so far, null for an array. */
  readonly keys: Set<string> | null;
  /** The key, or the index, of the value being read. */
  place: string | number;
}

/**
 * Reads JSON as the safetensors library does where `JSON.parse` is more lenient: a key twice in one object, an
 * unpaired surrogate and nesting deeper than `JSON_DEPTH_MAX` are faults.
 */
export function parseStrictJson(text: string): Result<unknown, JsonFault> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail({ path: '', message: `expected JSON: ${error instanceof Error ? error.message : 'not readable'}` });
  }
  const fault = findFault(text);
  return fault === null ? ok(value) : fail(fault);
}

/** Joins keys and indices: `targets`, 3, `rank` give `targets[3].rank`. */
export function joinPath(parts: readonly PropertyKey[]): string {
  let path = '';
  for (const part of parts) {
    if (typeof part === 'number') path += `[${part}]`;
    else path += path === '' ? String(part) : `.${String(part)}`;
  }
  return path;
}

/** Scans text that is known to be JSON, so that brackets match and a string before a colon is a key. */
function findFault(text: string): JsonFault | null {
  const frames: Frame[] = [];
  let keyNext = false;
  const faultAt = (message: string): JsonFault => ({ path: joinPath(frames.map((frame) => frame.place)), message });
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    const frame = frames.at(-1);
    if (char === '{' || char === '[') {
      if (frames.length >= JSON_DEPTH_MAX) return faultAt(`nested deeper than ${JSON_DEPTH_MAX} levels`);
      keyNext = char === '{';
      frames.push(keyNext ? { keys: new Set(), place: '' } : { keys: null, place: 0 });
    } else if (char === '}' || char === ']') {
      frames.pop();
      keyNext = false;
    } else if (char === ',' && frame !== undefined) {
      keyNext = frame.keys !== null;
      if (typeof frame.place === 'number') frame.place++;
    } else if (char === '"') {
      const end = stringEnd(text, at);
      const string = decodeString(text.slice(at, end));
      if (keyNext && frame?.keys) {
        frame.place = string;
        if (frame.keys.has(string)) return faultAt('the key is there twice');
        frame.keys.add(string);
        keyNext = false;
      }
      if (!string.isWellFormed()) return faultAt('expected Unicode text, found an unpaired surrogate');
      at = end - 1;
    }
  }
  return null;
}

/** One past the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

function decodeString(token: string): string {
  return token.includes('\\') ? String(JSON.parse(token)) : token.slice(1, -1);
}
