import { Buffer } from 'node:buffer';
import { fail, ok, type Result } from '../../../../schemas/result.ts';

/** The beginning of `multipart/form-data`: the fields before the first file, and where that file begins. */
export interface FormHead {
  readonly boundary: string;
  readonly fields: ReadonlyMap<string, string>;
  /** Null where there is none. */
  readonly file: FileHead | null;
}

export interface FileHead {
  /** The part's. */
  readonly name: string;
  /** As the client sent it: a path of its machine, which may name a patient. */
  readonly filename: string;
  /** Of its first byte in the form. */
  readonly offset: number;
}

/** What a boundary may be made of, and the `$` that MONAI Label's own client puts into it. */
const FIRST_LINE = /^--([0-9A-Za-z'()+_,./:=?$ -]{0,199}[0-9A-Za-z'()+_,./:=?$-])\r\n/;
const DISPOSITION = /^content-disposition:\s*form-data\b(.*)$/im;

/**
 * Reads the beginning of a form. The boundary is that of the form's own first line, not of the header: MONAI Label's
 * Python client sends the header of its last call along with the next.
 */
export function parseFormHead(start: Uint8Array): Result<FormHead, string> {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const boundary = FIRST_LINE.exec(bytes.toString('latin1', 0, 256))?.[1];
  if (boundary === undefined) return fail('expected multipart/form-data that begins with its boundary');
  const delimiter = `\r\n--${boundary}`;
  const fields = new Map<string, string>();
  let at = boundary.length + 4;
  for (;;) {
    const headersEnd = bytes.indexOf('\r\n\r\n', at);
    if (headersEnd < 0) return fail(TOO_LONG);
    const part = dispositionOf(bytes.toString('utf8', at, headersEnd));
    if (part === null) return fail('a part has no name');
    const begin = headersEnd + 4;
    if (part.filename !== null) {
      return ok({ boundary, fields, file: { name: part.name, filename: part.filename, offset: begin } });
    }
    const end = bytes.indexOf(delimiter, begin);
    if (end < 0) return fail(TOO_LONG);
    fields.set(part.name, bytes.toString('utf8', begin, end));
    at = end + delimiter.length;
    const after = bytes.toString('latin1', at, at + 2);
    if (after === '--') return ok({ boundary, fields, file: null });
    if (after !== '\r\n') return fail(TOO_LONG);
    at += 2;
  }
}

const TOO_LONG = 'the fields are too long, or the form is cut short';

function dispositionOf(headers: string): { name: string; filename: string | null } | null {
  const parameters = DISPOSITION.exec(headers)?.[1];
  const name = parameterOf(parameters, 'name');
  return name === null ? null : { name, filename: parameterOf(parameters, 'filename') };
}

function parameterOf(parameters: string | undefined, name: string): string | null {
  const match = new RegExp(`;\\s*${name}\\*?=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i').exec(parameters ?? '');
  return match === null ? null : (match[1] ?? match[2] ?? '');
}
