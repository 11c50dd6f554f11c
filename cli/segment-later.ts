import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobCreatedSchema } from '../schemas/api-jobs.ts';
import { type Client, jsonBody, type Request, readJson } from './client.ts';
import { CliError } from './failure.ts';
import { reprDigest, sha256OfBody } from './files.ts';
import { followJob } from './follow-job.ts';
import type { Image } from './images.ts';
import { whenInterrupted } from './interrupt.ts';
import { checkSucceeded, endJob, eraseJob, writeResult } from './job.ts';
import type { Made } from './made.ts';
import { patiently } from './patiently.ts';
import { progressBar } from './progress.ts';
import { isTooLarge } from './segment-body.ts';
import { queryOf, type RemoteRequest } from './segment-remote.ts';
import { uploadImages } from './segment-uploads.ts';
import { discardUpload } from './upload-parts.ts';

export interface LaterRequest extends RemoteRequest {
  /** What `body` was made of: where it is too large for one request, they go as uploads. */
  readonly images: readonly Image[];
  /** Erases the job once its label map is written. */
  readonly erase: boolean;
}

export type MadeLater = Made & { readonly job: string };

const INTERRUPTED_MOST_MS = 5_000;

/**
 * Segments through the API asynchronously: hands the images in, follows the job, and writes its label map, whole or not at
 * all. Interrupted before the job has ended, it cancels the job.
 */
export async function segmentLater(client: Client, request: LaterRequest): Promise<MadeLater> {
  const uploads = new Map<string, string>();
  // Made for this job alone, they are of no use after it.
  const discard = () => Promise.all([...uploads.values()].map((upload) => discardUpload(client, upload)));
  const handIn = new HandIn(client, request);
  const notInterrupted = whenInterrupted(async () => {
    await handIn.cancel();
    await discard();
  });
  try {
    if (isTooLarge(request.body)) await uploadImages(client, request.images, request.adapter, uploads);
    const id = await handIn.start(uploads);
    const job = await followJob(client, id).catch(goesOn(`pdora job wait ${id}`));
    notInterrupted();
    checkSucceeded(job);
    const made = await writeResult(client, job, request.adapter, request.output).catch(
      goesOn(`pdora job result ${id} -o ${request.output}`),
    );
    if (request.erase) await eraseJob(client, id);
    return { ...made, job: id };
  } finally {
    notInterrupted();
    await discard();
  }
}

/** The call that makes the job. */
class HandIn {
  readonly #client: Client;
  readonly #request: LaterRequest;
  readonly #stopped = new AbortController();
  /** Whether the whole body went out once: from then on there may be a job. */
  #whole = false;
  #job: Promise<string> | undefined;

  constructor(client: Client, request: LaterRequest) {
    this.#client = client;
    this.#request = request;
  }

  /** Answers the job's id. */
  async start(uploads: ReadonlyMap<string, string>): Promise<string> {
    this.#job = this.#send(uploads);
    return await this.#job;
  }

  /** Ends the job, if there is one. */
  async cancel(): Promise<void> {
    if (!this.#whole) this.#stopped.abort();
    const late = sleep(INTERRUPTED_MOST_MS, undefined, { ref: false });
    const id = await Promise.race([this.#job?.catch(() => undefined), late]);
    if (id === undefined) return;
    await endJob(this.#client, id, AbortSignal.timeout(INTERRUPTED_MOST_MS)).catch(() => {
      process.stderr.write(`pdora: unreachable: the segmentation may go on; pdora job cancel ${id} ends it\n`);
    });
  }

  async #send(uploads: ReadonlyMap<string, string>): Promise<string> {
    const { headers, body } = await contentOf(this.#request, uploads);
    const bar = progressBar('upload', body.size);
    const call: Request = {
      method: 'POST',
      query: queryOf(this.#request),
      // Under a key a second try makes no second job.
      headers: { ...headers, prefer: 'respond-async', 'idempotency-key': randomUUID() },
      body,
      signal: this.#stopped.signal,
      onSent: (sent) => {
        bar.update(sent);
        if (sent >= body.size) this.#whole = true;
      },
    };
    const create = async () => readJson(await this.#client.send('/v1/segmentations', call), jobCreatedSchema);
    try {
      return (await patiently(create, this.#stopped.signal)).id;
    } finally {
      bar.stop();
    }
  }
}

async function contentOf({ body: { body, type } }: LaterRequest, uploads: ReadonlyMap<string, string>) {
  if (uploads.size > 0) return jsonBody({ inputs: Object.fromEntries(uploads) });
  return { headers: { 'content-type': type, 'repr-digest': reprDigest(await sha256OfBody(body)) }, body };
}

/** What is not lost although something failed here. */
function goesOn(command: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof CliError) throw new CliError(error.code, `${error.message}; later: ${command}`);
    throw error;
  };
}
