import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { formatProblemSchema } from '../schemas/api.ts';
import { CliError, ServiceProblem } from './failure.ts';
import { type Call, call } from './http.ts';
import { inWords } from './verdict.ts';

/** What a problem reply tells; lenient, so that any service's `code` reaches the user. */
const problemSchema = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  request_id: z.string().optional(),
  problems: z.array(formatProblemSchema.extend({ code: z.string() })).optional(),
});

/** Bytes of an error reply that are read; an error page of some proxy may be long. */
const ERROR_BODY_MAX_BYTES = 1 << 20;

/** Of one wait for the rate; a service that asks for more is not waited for. */
const RETRY_AFTER_MAX_SECONDS = 60;
/** A call that is over the rate so often, each time after the wait it was told, has no prospects. */
const RATE_WAITS = 5;

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface Request extends Omit<Call, 'headers'> {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The public API at one address with one key. Every failure is a `CliError` with the service's own code. */
export class Client {
  readonly url: string;
  readonly #key: string | undefined;

  constructor(url: string, key: string | undefined) {
    this.url = url;
    this.#key = key;
  }

  /**
   * The reply of a call that succeeded; its body is not read yet. A GET that is over the tenant's rate, as one that
   * polls may be, waits for as long as it is told and is asked again.
   */
  async send(path: string, { query = {}, headers = {}, ...rest }: Request): Promise<Response> {
    const target = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const authorization = this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` };
    for (let waits = 0; ; waits++) {
      const reply = await call(target, { ...rest, headers: { ...authorization, ...headers } });
      if (reply.status >= 200 && reply.status <= 299) return reply;
      const problem = await problemOf(reply);
      const seconds = rest.method === 'GET' && waits < RATE_WAITS ? waitFor(problem) : null;
      if (seconds === null) throw problem;
      await sleep(seconds * 1000, undefined, rest.signal === undefined ? {} : { signal: rest.signal });
    }
  }

  /** A call whose reply is JSON of this shape. */
  async json<T>(method: string, path: string, schema: z.ZodType<T>, query: Query = {}, body?: unknown): Promise<T> {
    const json = body === undefined ? {} : jsonBody(body);
    return await readJson(await this.send(path, { method, query, ...json }), schema);
  }

  /** Every item of a list, page after page. */
  async *pages<T>(path: string, item: z.ZodType<T>, query: Query = {}): AsyncGenerator<T> {
    const page = z.object({ data: z.array(item), next_cursor: z.string().nullish() });
    let cursor: string | undefined;
    do {
      const { data, next_cursor: next } = await this.json('GET', path, page, { ...query, cursor });
      yield* data;
      cursor = next ?? undefined;
    } while (cursor !== undefined);
  }

  async remove(path: string, query: Query = {}): Promise<void> {
    await this.send(path, { method: 'DELETE', query });
  }
}

/** Parses a JSON reply; what has another shape is `bad_reply`. */
export async function readJson<T>(reply: Response, schema: z.ZodType<T>): Promise<T> {
  const text = await reply.text();
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new CliError('bad_reply', `the service answered ${reply.status} with something else than the API promises`);
}

export function jsonBody(body: unknown): { headers: Record<string, string>; body: Blob } {
  return { headers: { 'content-type': 'application/json' }, body: new Blob([JSON.stringify(body)]) };
}

async function problemOf(reply: Response): Promise<ServiceProblem> {
  const { status, headers } = reply;
  const told = headers.get('retry-after') ?? '';
  const retryAfter = /^\d+$/.test(told) ? Number(told) : null;
  const problem = problemSchema.safeParse(parseJson(await readStart(reply)));
  if (!problem.success) {
    return new ServiceProblem('bad_reply', `the service answered ${status} without a problem`, status, retryAfter);
  }
  const { code, detail, title, request_id: id, problems = [] } = problem.data;
  const lines = [detail ?? title ?? String(status), ...problems.map(inWords)].join('; ');
  return new ServiceProblem(code, id === undefined ? lines : `${lines} [request ${id}]`, status, retryAfter);
}

/** For how many seconds a call is to wait that is over the rate; null where that is not what went wrong. */
function waitFor({ code, retryAfterSeconds: seconds }: ServiceProblem): number | null {
  return code === 'rate_limited' && seconds !== null && seconds <= RETRY_AFTER_MAX_SECONDS ? seconds : null;
}

async function readStart(reply: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of reply.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > ERROR_BODY_MAX_BYTES) break;
  }
  return text;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
