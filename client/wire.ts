import createFetchClient, { type Client } from 'openapi-fetch';
import { PdoraError, refusalOf, UnreachableError } from './errors.ts';
import type { paths } from './openapi.ts';

/** Every call of the API, typed by its document. */
export type Api = Client<paths>;

export interface Connection {
  /** Of the service. */
  readonly url: string;
  readonly key: string;
  /** In place of the platform's own. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

export function openApi({ url, key, fetch }: Connection): Api {
  const api = createFetchClient<paths>({
    baseUrl: url,
    headers: { authorization: `Bearer ${key}` },
    ...(fetch === undefined ? {} : { fetch }),
  });
  api.use({
    async onResponse({ response }) {
      if (!response.ok) throw await refusalOf(response);
    },
    onError: ({ error, request }) => (request.signal.aborted ? undefined : unreachable(error)),
  });
  return api;
}

/** A body that is no JSON, for a call of openapi-fetch, whose types know no streams. */
export function raw(body: Blob | FormData | ReadableStream<Uint8Array>, headers: Readonly<Record<string, string>>) {
  return { body: new Blob([]), bodySerializer: () => body, headers, duplex: 'half' as const };
}

/** Spread into a call. */
export function signalled(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** A call, heard to its end: a connection that breaks in the middle of a reply is `UnreachableError` too. */
export async function heard<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof PdoraError || signal?.aborted === true) throw error;
    throw unreachable(error);
  }
}

/** What a call answered that answers something. */
export async function answerOf<T>(
  call: () => Promise<{ data?: T; response: Response }>,
  signal?: AbortSignal,
): Promise<{ data: T; response: Response }> {
  const { data, response } = await heard(call, signal);
  if (data === undefined) throw new PdoraError('The service answered nothing where its API promises something.');
  return { data, response };
}

function unreachable(cause: unknown): UnreachableError {
  return new UnreachableError('The service gave no answer, or the connection broke.', { cause });
}
