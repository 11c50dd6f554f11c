import { ServiceError } from '../../../../schemas/errors.ts';
import { BodyReader } from '../files/body-reader.ts';
import { type FileHead, parseFormHead } from './form-head.ts';

/** What may come before a form's file. */
const HEAD_MAX_BYTES = 64 * 1024;

/** A client's `multipart/form-data` whose file is not read yet. */
export interface Form {
  readonly fields: ReadonlyMap<string, string>;
  /** Null where there is none. */
  readonly file: FormFile | null;
  /** Reads what is left, so that the caller can be answered. */
  drain(): Promise<void>;
}

export interface FormFile extends FileHead {
  readonly boundary: string;
  /** Bytes from the file's first to the form's last. */
  readonly length: number;
  /** From the file's first byte to the form's end, once. */
  chunks(): AsyncGenerator<Uint8Array>;
}

export const EMPTY_FORM: Form = { fields: new Map(), file: null, drain: async () => {} };

/**
 * Reads a form up to its first file, which its fields come before: so do MONAI Label's clients send it. Throws
 * `invalid_request`.
 */
export async function readForm(body: ReadableStream<Uint8Array> | null, length: number): Promise<Form> {
  const reader = new BodyReader(body);
  const head = parseFormHead(await reader.peek(Math.min(length, HEAD_MAX_BYTES)));
  if (!head.ok) {
    await reader.drain();
    throw new ServiceError('invalid_request', `body: ${head.error}.`);
  }
  const { fields, file, boundary } = head.value;
  return {
    fields,
    file:
      file === null
        ? null
        : { ...file, boundary, length: length - file.offset, chunks: () => from(reader.chunks(), file.offset) },
    drain: () => reader.drain(),
  };
}

async function* from(chunks: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array> {
  let skip = offset;
  for await (const chunk of chunks) {
    if (skip < chunk.byteLength) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.byteLength);
  }
}
