import { z } from 'zod';
import { CONTENT_TYPE } from '../../../schemas/answer-formats.ts';
import { formatProblemSchema } from '../../../schemas/api.ts';
import type { FormatProblem } from '../../../schemas/errors.ts';
import { readReport } from '../../../schemas/report.ts';
import { traceparentOf } from '../../../schemas/trace.ts';
import { PROBE_TIMEOUT_MS, type Readiness } from './health.ts';
import type { RunSubject, SegmentCall, SegmentReply } from './runner-client.ts';
import { aborted, badReply, problemOf, unreachable } from './runner-problems.ts';

export interface HttpRunnerOptions {
  readonly url: string;
  readonly token: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

const RUN_TIMEOUT_MS = 2_000;
const verificationSchema = z.object({ digest: z.string(), problems: z.array(formatProblemSchema) });
const runSchema = z.object({ progress: z.number().min(0).max(1) });
const cacheSchema = z.enum(['hot', 'warm', 'cold']);

/** One runner, reached over HTTP. Every call is one try. */
export class HttpRunner {
  readonly url: string;
  readonly #options: HttpRunnerOptions;

  constructor(options: HttpRunnerOptions) {
    this.url = options.url;
    this.#options = options;
  }

  async readiness(): Promise<Readiness> {
    try {
      const reply = await this.#fetch('/readyz', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      if (reply.status !== 200) return (await problemOf(reply)).code === 'runner_busy' ? 'full' : 'down';
      await reply.body?.cancel();
      return 'ready';
    } catch {
      return 'down';
    }
  }

  async verify(subject: RunSubject, signal: AbortSignal): Promise<FormatProblem[]> {
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
      'x-format': call.format,
      'x-deadline': String(call.deadline),
      'content-type': call.contentType,
    };
    const reply = await this.#call('/segment', { headers, body: call.body, signal: call.signal });
    const cache = cacheSchema.safeParse(reply.headers.get('x-adapter-cache'));
    const serverTiming = reply.headers.get('server-timing');
    const type = reply.headers.get('content-type');
    const promised = type === CONTENT_TYPE[call.format] && !reply.headers.has('content-encoding');
    if (!cache.success || serverTiming === null || !promised || reply.body === null) {
      await reply.body?.cancel();
      throw badReply('its reply is not a label map with what belongs to it');
    }
    return {
      runner: this.url,
      adapterDigest: reply.headers.get('x-adapter-digest'),
      baseDigest: reply.headers.get('x-base-digest'),
      cache: cache.data,
      serverTiming,
      contentLength: reply.headers.get('content-length'),
      voxels: countOf(reply.headers.get('x-voxels')),
      report: readReport(reply.headers.get('x-report')),
      body: reply.body,
    };
  }

  /** 0 to 1, null where the runner does not know the run or does not answer. */
  async progress(runId: string): Promise<number | null> {
    try {
      const reply = await this.#run('GET', runId);
      return runSchema.parse(await reply.json()).progress;
    } catch {
      return null;
    }
  }

  /** Best effort. */
  async cancel(runId: string): Promise<void> {
    try {
      const reply = await this.#run('DELETE', runId);
      await reply.body?.cancel();
    } catch {
      // A runner that is gone has lost the run anyway.
    }
  }

  #run(method: 'GET' | 'DELETE', runId: string): Promise<Response> {
    return this.#fetch(`/runs/${encodeURIComponent(runId)}`, { method, signal: AbortSignal.timeout(RUN_TIMEOUT_MS) });
  }

  /** A POST that answers 200, or throws what the runner's problem means to a caller. */
  async #call(path: string, init: RequestInit): Promise<Response> {
    let reply: Response;
    try {
      reply = await this.#fetch(path, { ...init, method: 'POST' });
    } catch (cause) {
      if (init.signal?.aborted) throw aborted(init.signal.reason);
      throw unreachable('The runner could not be reached, or broke off.', cause);
    }
    if (reply.status === 200) return reply;
    throw await problemOf(reply);
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const { url, token, fetch } = this.#options;
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    return fetch(new URL(path, url).href, { ...init, headers, redirect: 'manual' });
  }
}

function countOf(text: string | null): number | null {
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

function subjectHeaders({ runId, trace, base, adapter }: RunSubject): Record<string, string> {
  return {
    'x-run-id': runId,
    traceparent: traceparentOf(trace),
    'x-base-digest': base.digest,
    'x-base-file': base.file.digest,
    'x-base-grant': base.file.grant,
    ...(adapter === null ? {} : { 'x-adapter-digest': adapter.digest, 'x-grant': adapter.grant }),
  };
}
