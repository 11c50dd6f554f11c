import { z } from 'zod';
import { adapterSchema, adapterSummarySchema, versionCreatedSchema } from '../../schemas/api.ts';
import { jobCreatedSchema, jobSchema } from '../../schemas/api-jobs.ts';
import { aliasSchema } from '../../schemas/api-sharing.ts';
import { uploadCompletedSchema, uploadSchema } from '../../schemas/api-uploads.ts';
import { reportSchema } from '../../schemas/report.ts';
import { Problem, problemOf } from './api/problem.ts';

export type Adapter = z.infer<typeof adapterSchema>;
export type AdapterSummary = z.infer<typeof adapterSummarySchema>;
export type Version = Adapter['versions'][number];
export type Job = z.infer<typeof jobSchema>;
export type Upload = z.infer<typeof uploadSchema>;
export type Report = z.infer<typeof reportSchema>;
export type Output = Job['output'];

/** Of one wait for the rate, and how many of them. */
const RETRY_MOST_SECONDS = 60;
const RETRIES = 5;

interface Call {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Blob | FormData | string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The public API of the page's own origin with one key; the console reaches the service in no other way. Replies are
 * checked against the contract's schemas. Every failure is a `Problem`.
 */
export class Api {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  async adapters(): Promise<AdapterSummary[]> {
    return await this.#pages('/v1/adapters', adapterSummarySchema);
  }

  async adapter(ref: string): Promise<Adapter> {
    return await this.#json(`/v1/adapters/${encodeURIComponent(ref)}`, adapterSchema);
  }

  async pushVersion(name: string, file: Blob): Promise<z.infer<typeof versionCreatedSchema>> {
    const path = `/v1/adapters/${encodeURIComponent(name)}/versions`;
    return await this.#json(path, versionCreatedSchema, { method: 'POST', body: file });
  }

  async pushUploadedVersion(name: string, upload: string): Promise<z.infer<typeof versionCreatedSchema>> {
    const path = `/v1/adapters/${encodeURIComponent(name)}/versions`;
    return await this.#json(path, versionCreatedSchema, { method: 'POST', ...json({ upload }) });
  }

  /** Throws `alias_conflict` where somebody else has moved it meanwhile. */
  async setAlias(name: string, alias: string, version: number, expected: number | null): Promise<void> {
    const path = `/v1/adapters/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}`;
    await this.#json(path, aliasSchema, { method: 'PUT', ...json({ version, expected }) });
  }

  /** Takes in a segmentation whose channels are this body, or these uploads; answers its id. */
  async segment(
    ref: string,
    output: Output,
    input: Blob | FormData | Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<string> {
    const sent = input instanceof Blob || input instanceof FormData ? { body: input } : json({ inputs: input });
    const headers = { ...('headers' in sent ? sent.headers : {}), prefer: 'respond-async' };
    const call = { ...sent, headers, method: 'POST', query: { adapter: ref, output }, signal };
    return (await this.#json('/v1/segmentations', jobCreatedSchema, call)).id;
  }

  /** The newest first, up to a page of the service's most. */
  async jobs(): Promise<Job[]> {
    const page = z.object({ data: z.array(jobSchema) });
    return (await this.#json('/v1/segmentations', page, { query: { limit: '100' } })).data;
  }

  async job(id: string, signal?: AbortSignal): Promise<Job> {
    return await this.#json(`/v1/segmentations/${encodeURIComponent(id)}`, jobSchema, { signal });
  }

  async result(id: string): Promise<Blob> {
    return await (await this.#send(`/v1/segmentations/${encodeURIComponent(id)}/result`)).blob();
  }

  /** What a segmentation found and how sure it was. */
  async report(id: string): Promise<Report> {
    return await this.#json(`/v1/segmentations/${encodeURIComponent(id)}/report`, reportSchema);
  }

  /** Cancels what runs, erases what has ended. */
  async removeJob(id: string): Promise<void> {
    await this.#send(`/v1/segmentations/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** `sha256` in hex. */
  async beginUpload(size: number, sha256: string, signal?: AbortSignal): Promise<Upload> {
    return await this.#json('/v1/uploads', uploadSchema, { method: 'POST', ...json({ size, sha256 }), signal });
  }

  async putPart(url: string, part: Blob, signal?: AbortSignal): Promise<void> {
    await this.#send(here(url), { method: 'PUT', body: part, signal });
  }

  async completeUpload(upload: Upload, signal?: AbortSignal): Promise<void> {
    await this.#json(here(upload.complete), uploadCompletedSchema, { method: 'POST', signal });
  }

  async #pages<T>(path: string, item: z.ZodType<T>): Promise<T[]> {
    const page = z.object({ data: z.array(item), next_cursor: z.string().nullable() });
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const { data, next_cursor: next } = await this.#json(path, page, { query: { cursor, limit: '100' } });
      all.push(...data);
      cursor = next ?? undefined;
    } while (cursor !== undefined);
    return all;
  }

  async #json<T>(path: string, schema: z.ZodType<T>, call: Call = {}): Promise<T> {
    const reply = await this.#send(path, call);
    const parsed = schema.safeParse(await reply.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new Problem('bad_reply', 'The service answered with something else than its API promises.');
  }

  async #send(path: string, { method = 'GET', query = {}, headers = {}, body, signal }: Call = {}): Promise<Response> {
    const url = new URL(path, location.origin);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const init: RequestInit = {
      method,
      headers: { ...headers, authorization: `Bearer ${this.#key}` },
      body: body ?? null,
      signal: signal ?? null,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    };
    for (let tries = 0; ; tries++) {
      const reply = await fetch(url, init).catch((error: unknown) => {
        if (signal?.aborted === true) throw error;
        throw new Problem('unreachable', 'The service cannot be reached. Is there a connection?');
      });
      if (reply.ok) return reply;
      const problem = await problemOf(reply);
      const seconds = problem.retryAfterSeconds ?? RETRY_MOST_SECONDS + 1;
      const again = method === 'GET' && problem.code === 'rate_limited' && tries < RETRIES;
      if (!again || seconds > RETRY_MOST_SECONDS) throw problem;
      await pause(seconds * 1000);
    }
  }
}

export async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function json(body: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** At the page's own origin, which need not be the address by which the service knows itself. */
function here(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
