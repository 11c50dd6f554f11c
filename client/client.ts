import { PdoraError, RejectedError } from './errors.ts';
import { type WaitOptions, waitForJob } from './jobs.ts';
import { patiently, pause } from './patiently.ts';
import { type Segmentation, segmentationOf } from './segmentation.ts';
import type { Adapter, Job, Report, SegmentOptions, Version } from './types.ts';
import { DIRECT_MOST_BYTES, discard, uploadInParts } from './uploads.ts';
import { bodyOf, OCTETS, type Volumes } from './volume.ts';
import { type Api, answerOf, type Connection, openApi, raw, signalled } from './wire.ts';

/** A service and a key for it. Every failure is an exception: `ApiError` with the service's code, or `UnreachableError`. */
export interface Client {
  /** All other calls. What fails throws, as here. */
  readonly api: Api;
  /** The label map, or probabilities, on exactly the volume's grid. `adapter` is a reference such as `hippocampus@prod`. */
  segment(adapter: string, volumes: Volumes, options?: SegmentOptions & { report?: boolean }): Promise<Segmentation>;
  /** Hands a segmentation in to be done later, once however often the call had to be made; answers its id. */
  submit(adapter: string, volumes: Volumes, options?: SegmentOptions & { idempotencyKey?: string }): Promise<string>;
  /** The job when it has succeeded. Throws `JobError` where it ended otherwise; a signal ends the waiting, not the job. */
  wait(id: string, options?: WaitOptions): Promise<Job>;
  /** The label map of a job that has succeeded, kept for 24 hours. */
  result(id: string, options?: { signal?: AbortSignal }): Promise<Segmentation>;
  /** Volumes, certainty and warnings of a job that has succeeded. */
  report(id: string): Promise<Report>;
  /** Uploads an adapter file as a version and waits until it is ready. Throws `RejectedError` with what is wrong with it. */
  push(name: string, file: Blob, options?: { wait?: boolean; signal?: AbortSignal }): Promise<Version>;
}

const FIRST_PAUSE_MS = 100;
const PAUSE_MOST_MS = 2000;

export function createClient(connection: Connection): Client {
  const api = openApi(connection);
  return {
    api,
    segment: (adapter, volumes, options) => segment(api, adapter, volumes, options),
    submit: (adapter, volumes, options) => submit(api, adapter, volumes, options),
    wait: (id, options) => waitForJob(api, id, options),
    result: (id, options) => result(api, id, options),
    async report(id) {
      const call = () => answerOf(() => api.GET('/v1/segmentations/{id}/report', { params: { path: { id } } }));
      return (await patiently(call, { repeatable: true })).data;
    },
    push: (name, file, options) => push(api, name, file, options),
  };
}

async function segment(
  api: Api,
  adapter: string,
  volumes: Volumes,
  { report = false, signal, ...query }: SegmentOptions & { report?: boolean } = {},
): Promise<Segmentation> {
  const { body, headers, again } = bodyOf(volumes);
  const params = { query: { adapter, ...query, report: report ? ('true' as const) : ('false' as const) } };
  const init = { params, ...raw(body, headers), parseAs: 'blob' as const, ...signalled(signal) };
  const call = () => answerOf(() => api.POST('/v1/segmentations', init), signal);
  const { data, response } = again ? await patiently(call, { repeatable: false, signal }) : await call();
  return segmentationOf(data, response.headers);
}

async function submit(
  api: Api,
  adapter: string,
  volumes: Volumes,
  { idempotencyKey = crypto.randomUUID(), signal, ...query }: SegmentOptions & { idempotencyKey?: string } = {},
): Promise<string> {
  const header = { prefer: 'respond-async', 'idempotency-key': idempotencyKey };
  const about = { params: { query: { adapter, ...query }, header }, ...signalled(signal) };
  const { body, headers, size, again, parts } = bodyOf(volumes);
  if (size <= DIRECT_MOST_BYTES || parts === null) {
    const call = () => answerOf(() => api.POST('/v1/segmentations', { ...about, ...raw(body, headers) }), signal);
    return idOf((again ? await patiently(call, { repeatable: true, signal }) : await call()).data);
  }
  const files = await named(api, adapter, parts);
  const inputs: Record<string, string> = {};
  try {
    for (const [channel, file] of Object.entries(files)) inputs[channel] = await uploadInParts(api, file, signal);
    const call = () => answerOf(() => api.POST('/v1/segmentations', { ...about, body: { inputs } }), signal);
    return idOf((await patiently(call, { repeatable: true, signal })).data);
  } catch (error) {
    await Promise.all(Object.values(inputs).map((upload) => discard(api, upload)));
    throw error;
  }
}

function idOf(answer: object): string {
  if ('id' in answer && typeof answer.id === 'string') return answer.id;
  throw new PdoraError('The service answered a label map where a job was asked for.');
}

/** By channel: the name of the only one is the adapter's to tell. */
async function named(
  api: Api,
  ref: string,
  parts: Blob | Readonly<Record<string, Blob>>,
): Promise<Readonly<Record<string, Blob>>> {
  if (!(parts instanceof Blob)) return parts;
  const { data } = await answerOf(() => api.GET('/v1/adapters/{ref}', { params: { path: { ref } } }));
  const [channel, ...more] = data.channels;
  if (channel !== undefined && more.length === 0) return { [channel]: parts };
  throw new PdoraError(`${ref} has the channels ${data.channels.join(', ')}: give a volume for each.`);
}

async function result(api: Api, id: string, { signal }: { signal?: AbortSignal } = {}): Promise<Segmentation> {
  const init = { params: { path: { id } }, parseAs: 'blob' as const, ...signalled(signal) };
  const call = () => answerOf(() => api.GET('/v1/segmentations/{id}/result', init), signal);
  const { data, response } = await patiently(call, { repeatable: true, signal });
  return segmentationOf(data, response.headers);
}

async function push(
  api: Api,
  name: string,
  file: Blob,
  { wait = true, signal }: { wait?: boolean; signal?: AbortSignal } = {},
): Promise<Version> {
  const about = { params: { path: { name } }, ...signalled(signal) };
  const sent =
    file.size > DIRECT_MOST_BYTES
      ? { ...about, body: { upload: await uploadInParts(api, file, signal) } }
      : { ...about, ...raw(file, OCTETS) };
  const call = () => answerOf(() => api.POST('/v1/adapters/{name}/versions', sent), signal);
  const { data: version } = await patiently(call, { repeatable: true, signal });
  return wait ? { ...version, status: await verdictOn(api, version, signal) } : version;
}

/** Waits until a runner has verified a version. */
async function verdictOn(api: Api, { adapter, version }: Version, signal?: AbortSignal): Promise<Adapter['status']> {
  const init = { params: { path: { ref: `${adapter}@${version}` } }, ...signalled(signal) };
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(PAUSE_MOST_MS, wait * 1.5)) {
    const look = () => answerOf(() => api.GET('/v1/adapters/{ref}', init), signal);
    const { status, problems } = (await patiently(look, { repeatable: true, signal })).data;
    if (status === 'ready') return status;
    const detail = `${adapter}@${version} was rejected.`;
    if (status === 'rejected') throw new RejectedError({ code: 'invalid_adapter', detail, problems });
    await pause(wait, signal);
  }
}
