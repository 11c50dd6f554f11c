import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import { ServiceError } from '../../schemas/errors.ts';
import { CHANNELS_MAX } from '../../schemas/limits.ts';
import type { Image } from '../inference/channels.ts';
import { type BodySize, PART_HEADER_MAX_BYTES } from './body-size.ts';

const PART_HEADER_PAIRS_MAX = 16;

interface Reading {
  readonly images: Promise<Image[]>;
  /** Reads no more, so that what was read can go. */
  leave(): void;
}

/**
 * The files of a segmentation: a body whatever its type, or the parts of `multipart/form-data` by their names.
 * Throws `invalid_request` for a body that is no multipart or ends early, `channel_mismatch` for more parts than any
 * adapter has channels, and the signal's reason. What is left of the body then is passed over, not kept.
 */
export async function readImages(request: IncomingMessage, size: BodySize, signal: AbortSignal): Promise<Image[]> {
  signal.throwIfAborted();
  const reading = size.multipart ? readParts(request) : readWhole(request, size.length);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  const breakOff = (cause: unknown) => reject(new ServiceError('invalid_request', 'The body ended early.', { cause }));
  signal.addEventListener('abort', stop, { once: true });
  request.once('error', breakOff);
  request.once('close', () => request.complete || breakOff(new Error('the connection closed')));
  try {
    return await Promise.race([ended, reading.images]);
  } catch (error) {
    reading.leave();
    request.resume();
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Into its place at once: HTTP brings no more than the length that was promised. */
function readWhole(request: IncomingMessage, length: number): Reading {
  const { promise: images, resolve } = Promise.withResolvers<Image[]>();
  const bytes = new Uint8Array(length);
  let at = 0;
  const take = (chunk: Uint8Array) => {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  };
  request.on('data', take);
  request.once('end', () => resolve([{ channel: null, bytes }]));
  return { images, leave: () => void request.off('data', take) };
}

function readParts(request: IncomingMessage): Reading {
  const { promise: images, resolve, reject } = Promise.withResolvers<Image[]>();
  const parts: Promise<Image>[] = [];
  const fail = (cause: unknown) => reject(malformed(cause));
  const parser = parserOf(request.headers['content-type'] ?? '');
  const tooMany = () =>
    reject(new ServiceError('channel_mismatch', `Expected at most ${CHANNELS_MAX} volumes, found more.`));
  parser.on('file', (name: string | undefined, stream: BusboyFileStream) => {
    const part = readPart(name, stream);
    part.catch(fail);
    parts.push(part);
  });
  parser.on('filesLimit', tooMany);
  parser.on('partsLimit', tooMany);
  parser.on('error', fail);
  parser.on('finish', () => void Promise.all(parts).then(resolve, fail));
  request.pipe(parser);
  return { images, leave: () => void request.unpipe(parser) };
}

/** Throws `invalid_request` where the type says no boundary. */
function parserOf(type: string) {
  try {
    return new Busboy({
      headers: { 'content-type': type },
      // Every part is a volume, whether or not it says a file's name.
      isPartAFile: () => true,
      limits: {
        files: CHANNELS_MAX,
        parts: CHANNELS_MAX,
        headerSize: PART_HEADER_MAX_BYTES,
        headerPairs: PART_HEADER_PAIRS_MAX,
      },
    });
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(cause: unknown): ServiceError {
  return new ServiceError('invalid_request', 'The body is not readable as multipart/form-data.', { cause });
}

async function readPart(name: string | undefined, stream: BusboyFileStream): Promise<Image> {
  // The parser emits errors on a stream that nobody reads any more, too.
  stream.on('error', () => {});
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.byteLength;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  // A part without a name is no channel's: an empty one never is.
  return { channel: name ?? '', bytes };
}
