import { z } from 'zod';
import { formatProblemSchema, type OUTPUTS } from '../../schemas/api.ts';
import { type FormatProblem, ServiceError } from '../../schemas/errors.ts';
import { aborted, badReply, problemOf, RETRY_AFTER_SECONDS } from './runner-problems.ts';

/** A file and the permission to fetch it. */
export interface GrantedFile {
  readonly digest: string;
  readonly grant: string;
}

export interface RunSubject {
  readonly runId: string;
  readonly base: { readonly digest: string; readonly file: GrantedFile };
  /** Null runs, or verifies, the base alone. */
  readonly adapter: GrantedFile | null;
}

export interface SegmentCall extends RunSubject {
  readonly tenant: string;
  readonly output: (typeof OUTPUTS)[number];
  /** Milliseconds since 1970. */
  readonly deadline: number;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly contentType: string;
  readonly signal: AbortSignal;
}

/** What the runner says it did; whether that is what was asked for is the caller's to compare. */
export interface SegmentReply {
  readonly adapterDigest: string | null;
  readonly baseDigest: string | null;
  readonly cache: 'hot' | 'warm' | 'cold';
  readonly serverTiming: string;
  readonly contentLength: string | null;
  /** Of the grid that was segmented; null where the runner does not say. */
  readonly voxels: number | null;
  readonly body: ReadableStream<Uint8Array>;
}

export interface RunnerClient {
  status(): Promise<{ ready: number; total: number }>;
  /** What a runner finds wrong with the adapter, or with the base where there is none. Throws `ServiceError`. */
  verify(subject: RunSubject): Promise<FormatProblem[]>;
  /** Throws `ServiceError`. The body is read once: no call is tried twice. */
  segment(call: SegmentCall): Promise<SegmentReply>;
}

interface HttpRunnerOptions {
  readonly url: string;
  readonly token: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

const STATUS_TIMEOUT_MS = 2_000;
export const VERIFY_TIMEOUT_MS = 100_000;
const verificationSchema = z.object({ digest: z.string(), problems: z.array(formatProblemSchema) });
const cacheSchema = z.enum(['hot', 'warm', 'cold']);

/** One runner, reached over HTTP. */
export class HttpRunnerClient implements RunnerClient {
  readonly #options: HttpRunnerOptions;

  constructor(options: HttpRunnerOptions) {
    this.#options = options;
  }

  async status(): Promise<{ ready: number; total: number }> {
    try {
      const reply = await this.#fetch('/readyz', { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
      await reply.body?.cancel();
      return { ready: reply.ok ? 1 : 0, total: 1 };
    } catch {
      return { ready: 0, total: 1 };
    }
  }

  async verify(subject: RunSubject): Promise<FormatProblem[]> {
    const signal = AbortSignal.timeout(VERIFY_TIMEOUT_MS);
    const reply = await this.#call('/verify', { headers: subjectHeaders(subject), signal });
    const parsed = verificationSchema.safeParse(await reply.json().catch(() => undefined));
    if (!parsed.success) throw badReply('its verification could not be read');
    if (parsed.data.digest !== (subject.adapter?.digest ?? subject.base.digest))
      throw badReply('it verified another file');
    return parsed.data.problems;
  }

  async segment(call: SegmentCall): Promise<SegmentReply> {
    const headers = {
      ...subjectHeaders(call),
      'x-tenant': call.tenant,
      'x-output': call.output,
      'x-deadline': String(call.deadline),
      'content-type': call.contentType,
    };
    const reply = await this.#call('/segment', { headers, body: call.body, signal: call.signal });
    const cache = cacheSchema.safeParse(reply.headers.get('x-adapter-cache'));
    const serverTiming = reply.headers.get('server-timing');
    const promised = reply.headers.get('content-type') === 'application/gzip' && !reply.headers.has('content-encoding');
    if (!cache.success || serverTiming === null || !promised || reply.body === null) {
      await reply.body?.cancel();
      throw badReply('its reply is not a label map with what belongs to it');
    }
    return {
      adapterDigest: reply.headers.get('x-adapter-digest'),
      baseDigest: reply.headers.get('x-base-digest'),
      cache: cache.data,
      serverTiming,
      contentLength: reply.headers.get('content-length'),
      voxels: countOf(reply.headers.get('x-voxels')),
      body: reply.body,
    };
  }

  /** A POST that answers 200, or throws what the runner's problem means to a caller. */
  async #call(path: string, init: RequestInit): Promise<Response> {
    let reply: Response;
    try {
      reply = await this.#fetch(path, { ...init, method: 'POST' });
    } catch (cause) {
      if (init.signal?.aborted) throw aborted(init.signal.reason);
      throw new ServiceError('runner_unavailable', 'No runner could be reached.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause,
      });
    }
    if (reply.status === 200) return reply;
    throw await problemOf(reply);
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${this.#options.token}`);
    return this.#options.fetch(new URL(path, this.#options.url).href, { ...init, headers, redirect: 'manual' });
  }
}

function countOf(text: string | null): number | null {
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

function subjectHeaders({ runId, base, adapter }: RunSubject): Record<string, string> {
  return {
    'x-run-id': runId,
    'x-base-digest': base.digest,
    'x-base-file': base.file.digest,
    'x-base-grant': base.file.grant,
    ...(adapter === null ? {} : { 'x-adapter-digest': adapter.digest, 'x-grant': adapter.grant }),
  };
}
