import { request as plainRequest, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError } from './failure.ts';

export interface Call {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Blob;
  readonly signal?: AbortSignal;
  /** Bytes of the body handed to the network so far. */
  readonly onSent?: (bytes: number) => void;
}

/**
 * One HTTP call with a body of known length, streamed. A connection that cannot be made or breaks, also while the reply's
 * body is read, is `unreachable`, and `cancelled` where `signal` ended it. Not `fetch`: it gives up after five minutes without reply
 * headers, and a segmentation may take ten.
 */
export async function call(url: URL, { method, headers, body, signal, onSent }: Call): Promise<Response> {
  const request = url.protocol === 'https:' ? secureRequest : plainRequest;
  const options: RequestOptions = {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(body.size) }) },
    ...(signal === undefined ? {} : { signal }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const broken = (cause: unknown) => (signal?.aborted === true ? cancelled() : unreachable(url, cause));
  const fail = (cause: unknown) => reject(broken(cause));
  const outgoing = request(url, options);
  // An answer may come before the whole body went out; what then fails on the way out no longer matters.
  outgoing.on('error', fail);
  outgoing.on('response', (incoming) => {
    const replyHeaders = new Headers();
    for (const [name, value] of Object.entries(incoming.headers)) {
      for (const one of [value ?? []].flat()) replyHeaders.append(name, one);
    }
    const status = incoming.statusCode ?? 500;
    const empty = status === 204 || status === 304;
    if (empty) incoming.resume();
    // Whoever has the whole answer sends no more.
    incoming.once('close', () => outgoing.destroy());
    resolve(new Response(empty ? null : toWeb(incoming, broken), { status, headers: replyHeaders }));
  });
  if (body === undefined) outgoing.end();
  else pipeline(Readable.from(counted(body, onSent)), outgoing).catch(fail);
  return await promise;
}

async function* counted(body: Blob, onSent?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of body.stream()) {
    yield chunk;
    sent += chunk.byteLength;
    onSent?.(sent);
  }
}

function toWeb(stream: Readable, broken: (cause: unknown) => CliError): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks: AsyncIterator<Buffer<ArrayBuffer>> = stream[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next().catch((cause: unknown) => {
        throw broken(cause);
      });
      if (done === true) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    cancel() {
      stream.destroy();
    },
  });
}

function unreachable(url: URL, cause: unknown): CliError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new CliError('unreachable', `no answer from ${url.origin} (${reason})`);
}

function cancelled(): CliError {
  return new CliError('cancelled', 'the call was cancelled');
}
