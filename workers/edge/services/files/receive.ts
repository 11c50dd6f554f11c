import { type ErrorCode, type FormatProblem, ServiceError } from '../../../../schemas/errors.ts';
import type { Result } from '../../../../schemas/result.ts';
import { headerLength } from '../../../../schemas/safetensors.ts';
import type { Ports } from '../../ports.ts';
import { BodyReader } from './body-reader.ts';
import { holdFile, releaseFile } from './hold.ts';
import { digestOf, pour } from './pour.ts';

export interface IncomingFile {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly size: number;
  /** The digest that the caller says the file has; null where it does not say. */
  readonly digest: string | null;
  /** Whether a caller sends it, who is heard to the end to be answered; else it lies in the bucket. */
  readonly fromCaller: boolean;
}

/** A file that is in the bucket, held until a version or base is made of it or `releaseFile` lets it go. */
export interface ReceivedFile {
  readonly digest: string;
  readonly size: number;
  readonly hold: string;
}

export interface Received<T> extends ReceivedFile {
  readonly checked: T;
}

type FileCode = Extract<ErrorCode, 'invalid_adapter' | 'invalid_base'>;

/**
 * Takes a safetensors file in as a stream. `check` gets its header before anything is stored, as bytes and with the
 * file's size; what it refuses is thrown as `code` with its problems. Whatever is thrown, nothing stays behind.
 */
export async function receiveFile<T>(
  ports: Ports,
  file: IncomingFile,
  code: FileCode,
  check: (headerBytes: Uint8Array, fileBytes: number) => Result<T, FormatProblem[]>,
): Promise<Received<T>> {
  const reader = new BodyReader(file.body);
  try {
    const { size } = file;
    const length = headerLength(await reader.peek(Math.min(8, size)), size);
    if (!length.ok) throw refused(code, length.error);
    const header = await reader.peek(length.value);
    if (header.byteLength < length.value) throw ended(header.byteLength, size);
    const checked = check(header, size);
    if (!checked.ok) throw refused(code, checked.error);
    const stored =
      file.digest === null
        ? await storeUnknown(ports, reader, size)
        : await storeNamed(ports, reader, size, file.digest);
    return { ...stored, size, checked: checked.value };
  } finally {
    if (file.fromCaller) await reader.drain();
  }
}

/** One put under the promised digest. The bytes are hashed here too: a digest alone must not get at another's file. */
async function storeNamed(ports: Ports, reader: BodyReader, size: number, digest: string) {
  const hold = await holdFile(ports, digest, size);
  try {
    const there = await ports.blobs.has(digest);
    const put = (body: ReadableStream<Uint8Array>) => ports.blobs.put(digest, body);
    const poured = there
      ? { digest: await digestOf(reader.chunks(), size), failure: null }
      : await pour(reader.chunks(), size, put);
    if (poured.digest !== digest) {
      throw new ServiceError('invalid_request', 'The body does not have the digest that was promised.');
    }
    if (poured.failure !== null) throw poured.failure;
    return { digest, hold };
  } catch (error) {
    await releaseFile(ports, { digest, hold });
    throw error;
  }
}

/** Through a hash into a staging place, and from there to the digest it turned out to have. */
async function storeUnknown(ports: Ports, reader: BodyReader, size: number) {
  const id = crypto.randomUUID();
  try {
    const { digest, failure } = await pour(reader.chunks(), size, (body) => ports.blobs.stage(id, body));
    if (failure !== null) throw failure;
    const hold = await holdFile(ports, digest, size);
    try {
      if (!(await ports.blobs.has(digest))) await ports.blobs.promote(id, digest);
      return { digest, hold };
    } catch (error) {
      await releaseFile(ports, { digest, hold });
      throw error;
    }
  } finally {
    await ports.blobs.unstage(id);
  }
}

function refused(code: FileCode, problems: FormatProblem[]): ServiceError {
  const first = problems[0];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new ServiceError(code, `${first?.path ?? ''}: ${first?.message ?? ''}${more}`.replace(/^: /, ''), {
    problems,
  });
}

function ended(bytes: number, size: number): ServiceError {
  return new ServiceError('invalid_request', `The body ended after ${bytes} bytes; its Content-Length is ${size}.`);
}
