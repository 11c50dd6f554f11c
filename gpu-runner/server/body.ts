import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import { ServiceError } from '../../schemas/errors.ts';
import { CHANNELS_MAX, DIRECT_BODY_MAX_BYTES } from '../../schemas/limits.ts';
import type { Image } from '../inference/channels.ts';

const PART_HEADER_MAX_BYTES = 8 * 1024;
const PART_HEADER_PAIRS_MAX = 16;

/**
 * The files of a segmentation: a body whatever its type, or the parts of `multipart/form-data` by their names.
 * Throws `length_required`, `too_large` (by `Content-Length`, and by counting), `invalid_request` for a body that is no
 * multipart or ends early, `channel_mismatch` for more parts than any adapter has channels, and the signal's reason.
 */
export async function readImages(request: IncomingMessage, signal: AbortSignal): Promise<Image[]> {
  const length = contentLength(request);
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const type = request.headers['content-type'] ?? '';
    const multipart = /^multipart\/form-data\b/i.test(type);
    return await Promise.race([aborted, multipart ? readParts(request, type) : readWhole(request, length)]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ServiceError) throw error;
    throw new ServiceError('invalid_request', 'The body ended early.', { cause: error });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function contentLength(request: IncomingMessage): number {
  const text = request.headers['content-length'];
  if (text === undefined) throw new ServiceError('length_required', 'The body needs a Content-Length.');
  const length = Number(text);
  if (length > DIRECT_BODY_MAX_BYTES) throw tooLarge();
  return length;
}

async function readWhole(request: IncomingMessage, length: number): Promise<Image[]> {
  return [{ channel: null, bytes: await readAll(request, length) }];
}

/** All bytes of a stream, at most `maxBytes`. */
async function readAll(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function readParts(request: IncomingMessage, type: string): Promise<Image[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Image[]>();
  const parts: Promise<Image>[] = [];
  const malformed = (cause: unknown) =>
    reject(new ServiceError('invalid_request', 'The body is not readable as multipart/form-data.', { cause }));
  try {
    const parser = new Busboy({
      headers: { 'content-type': type },
      // Every part is a volume, whether or not it says a file's name.
      isPartAFile: () => true,
      limits: {
        files: CHANNELS_MAX,
        parts: CHANNELS_MAX,
        fileSize: DIRECT_BODY_MAX_BYTES,
        headerSize: PART_HEADER_MAX_BYTES,
        headerPairs: PART_HEADER_PAIRS_MAX,
      },
    });
    const tooMany = () =>
      reject(new ServiceError('channel_mismatch', `Expected at most ${CHANNELS_MAX} volumes, found more.`));
    parser.on('file', (name: string | undefined, stream: BusboyFileStream) => {
      const part = readPart(name, stream);
      part.catch(malformed);
      parts.push(part);
    });
    parser.on('filesLimit', tooMany);
    parser.on('partsLimit', tooMany);
    parser.on('error', malformed);
    parser.on('finish', () => void Promise.all(parts).then(resolve, malformed));
    request.once('error', malformed);
    request.once('close', () => request.complete || malformed(new Error('the connection closed')));
    request.pipe(parser);
  } catch (error) {
    malformed(error);
  }
  return promise;
}

async function readPart(name: string | undefined, stream: BusboyFileStream): Promise<Image> {
  // The parser emits errors on a stream that nobody reads any more, too.
  stream.on('error', () => {});
  // A part without a name is no channel's: an empty one never is.
  return { channel: name ?? '', bytes: await readAll(stream, DIRECT_BODY_MAX_BYTES) };
}

function tooLarge(): ServiceError {
  return new ServiceError('too_large', `The body has more than ${DIRECT_BODY_MAX_BYTES} bytes.`);
}
