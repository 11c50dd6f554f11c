import { ServiceError } from '../../schemas/errors.ts';
import type { BlobRequest, BlobSource } from './blobs.ts';
import { sha256Hex } from './sha256.ts';

export interface EdgeSourceOptions {
  readonly edgeUrl: string;
  readonly token: string;
  /** For the whole file. */
  readonly totalMs?: number;
  /** Without a single byte. */
  readonly stallMs?: number;
  readonly fetch?: typeof fetch;
}

const TOTAL_MS = 300_000;
const STALL_MS = 15_000;
const RETRY_AFTER_SECONDS = 2;

/**
 * Files from the edge, `GET {edgeUrl}/internal/blobs/{sha256}`. Follows no redirect, stops at `maxBytes`, and answers
 * only bytes with the SHA-256 asked for. Throws `not_found` where the edge does not have the file, `internal` where the
 * bytes are others or too many (asking again would not help), and `runner_unavailable` for all that may pass: a refused
 * grant or token, an error of the edge, a broken or stalled connection.
 */
export function edgeSource(options: EdgeSourceOptions): BlobSource {
  return {
    async fetch(request) {
      const bytes = await download(request, options);
      if ((await sha256Hex([bytes])) === request.sha256) return bytes;
      throw new ServiceError('internal', 'The file that the edge sent is not the one that was asked for.');
    },
  };
}

async function download(request: BlobRequest, options: EdgeSourceOptions): Promise<Uint8Array> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), options.stallMs ?? STALL_MS);
  try {
    const reply = await (options.fetch ?? fetch)(new URL(`/internal/blobs/${request.sha256}`, options.edgeUrl), {
      headers: {
        authorization: `Bearer ${options.token}`,
        'x-grant': request.grant,
        'accept-encoding': 'identity',
      },
      redirect: 'error',
      signal: AbortSignal.any([stalled.signal, AbortSignal.timeout(options.totalMs ?? TOTAL_MS)]),
    });
    return await body(reply, request.maxBytes, () => timer.refresh());
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw unavailable('The edge did not send the file.', error);
  } finally {
    clearTimeout(timer);
  }
}

async function body(reply: Response, maxBytes: number, onBytes: () => void): Promise<Uint8Array> {
  if (reply.status !== 200 || reply.body === null) {
    await reply.body?.cancel();
    if (reply.status === 404) throw new ServiceError('not_found', 'The edge does not have the file.');
    throw unavailable(`The edge answered ${reply.status} for the file.`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of reply.body) {
    onBytes();
    length += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (length > maxBytes) throw new ServiceError('internal', `The edge sent a file of more than ${maxBytes} bytes.`);
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

function unavailable(message: string, cause?: unknown): ServiceError {
  return new ServiceError('runner_unavailable', message, { cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
}
