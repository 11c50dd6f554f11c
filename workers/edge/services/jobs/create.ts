import type { Format } from '../../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { UPLOAD_MAX_BYTES } from '../../../../schemas/limits.ts';
import type { AdapterRef } from '../../../../schemas/names.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, ownerOf, type Principal } from '../../principal.ts';
import type { JobChannel, JobInput, JobRecord } from '../../store/job-store.ts';
import { readRef } from '../adapters/resolve.ts';
import { auditEntry } from '../audit/entry.ts';
import { BodyReader } from '../files/body-reader.ts';
import { pour } from '../files/pour.ts';
import { checkQueue, checkStorage, whyRefused } from '../quotas/room.ts';
import { SUBJECT_MAX_CHARACTERS } from '../segmentations/recorded.ts';
import { resolveSubject, type Subject } from '../segmentations/subject.ts';
import { entryOf } from './audit.ts';
import { inputKey } from './job-key.ts';
import { DUE_AGAIN_MS, knock } from './knock.ts';

export interface JobRequest {
  readonly adapter: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
  readonly deadlineSeconds: number;
  readonly input: SentBody | { readonly kind: 'uploads'; readonly inputs: Readonly<Record<string, string>> };
}

interface SentBody {
  readonly kind: 'body';
  readonly body: ReadableStream<Uint8Array> | null;
  readonly size: number;
  readonly contentType: string;
  /** The digest that the caller says the body has; null where it does not say. */
  readonly digest: string | null;
}

/**
 * Takes a segmentation in, to be done later with the version that the reference means now. Throws what a synchronous
 * call throws before it asks a runner, `channel_mismatch` where uploads are not those of the adapter's channels, and
 * `quota_exceeded` where the tenant has as many waiting as it may.
 */
export async function createJob(
  ports: Ports,
  principal: Principal,
  id: string,
  request: JobRequest,
): Promise<JobRecord> {
  const ref = readRef(request.adapter);
  try {
    return await queueJob(ports, principal, id, ref, request);
  } catch (error) {
    // A line about a segmentation that never was says what was asked for, whatever came of it.
    const outcome = error instanceof ServiceError ? error.code : 'internal';
    const subject = request.adapter.slice(0, SUBJECT_MAX_CHARACTERS);
    ports.later(
      ports.catalogue.audit.append(auditEntry(ports, principal, 'segmentation.create', subject, { outcome })),
    );
    throw error;
  }
}

async function queueJob(
  ports: Ports,
  principal: Principal,
  id: string,
  ref: AdapterRef,
  request: JobRequest,
): Promise<JobRecord> {
  const owner = ownerOf(principal);
  const subject = await resolveSubject(ports, principal, ref);
  if (principal.kind === 'tenant') {
    await checkQueue(ports, principal);
    await checkStorage(ports, principal, sizeOf(request.input));
  }
  const input = await takeIn(ports, owner, id, subject, request.input);
  const now = ports.now();
  const job = {
    id,
    tenant: owner,
    actor: actorOf(principal),
    requestId: ports.requestId,
    trace: ports.trace,
    adapter: subject.version,
    base: subject.base.digest,
    output: request.output,
    format: request.format,
    input,
    createdAt: now,
    deadlineAt: now + request.deadlineSeconds * 1000,
  };
  const due = now + DUE_AGAIN_MS;
  const quota = principal.kind === 'tenant' ? principal.quota : null;
  try {
    const made = await ports.catalogue.jobs.create(job, due, quota, entryOf(job, 'segmentation.create', 'ok', now));
    const found = await findOwn(ports, owner, id);
    if (!made || found === null) {
      if (principal.kind === 'tenant') await checkQueue(ports, principal);
      throw await whyRefused(ports, principal, sizeOf(request.input));
    }
    await knock(ports, [{ job: id, due }]);
    return found;
  } catch (error) {
    if (input.kind === 'body' && (await findOwn(ports, owner, id).catch(() => 'unknown')) === null) {
      await ports.objects.remove([inputKey(id)]);
    }
    throw error;
  }
}

export function findOwn(ports: Ports, owner: string | null, id: string): Promise<JobRecord | null> {
  return ports.catalogue.jobs.find(owner === null ? { kind: 'operator' } : { kind: 'tenant', tenant: owner }, id);
}

async function takeIn(
  ports: Ports,
  owner: string | null,
  id: string,
  subject: Subject,
  input: JobRequest['input'],
): Promise<JobInput> {
  if (input.kind === 'uploads') {
    return { kind: 'uploads', channels: await findUploads(ports, owner, subject, input.inputs) };
  }
  const reader = new BodyReader(input.body);
  try {
    const { digest, failure } = await pour(reader.chunks(), input.size, (body) =>
      ports.objects.put(inputKey(id), body),
    );
    if (failure !== null) throw failure;
    if (input.digest !== null && digest !== input.digest) {
      await ports.objects.remove([inputKey(id)]);
      throw new ServiceError('invalid_request', 'The body does not have the digest that Repr-Digest says.');
    }
    return { kind: 'body', contentType: input.contentType, size: input.size };
  } finally {
    await reader.drain();
  }
}

/** In the order of the adapter's channels. */
async function findUploads(
  ports: Ports,
  owner: string | null,
  { version, base }: Subject,
  inputs: Readonly<Record<string, string>>,
): Promise<JobChannel[]> {
  const { channels } = (version ?? base).card;
  const named = Object.keys(inputs);
  const fits = named.length === channels.length && channels.every((channel) => named.includes(channel));
  if (!fits) {
    const message = `Expected the channels ${channels.join(', ')}, found ${named.join(', ')}.`;
    throw new ServiceError('channel_mismatch', message);
  }
  const found = await Promise.all(
    channels.map(async (channel) => {
      const upload = await ports.catalogue.uploads.find(owner, inputs[channel] ?? '');
      if (upload === null) throw new ServiceError('not_found', `inputs.${channel}: there is no such upload.`);
      if (upload.completedAt === null) throw new ServiceError('conflict', `inputs.${channel}: not complete yet.`);
      return { channel, upload: upload.id, size: upload.size };
    }),
  );
  const total = found.reduce((bytes, { size }) => bytes + size, 0);
  if (total > UPLOAD_MAX_BYTES) {
    throw new ServiceError('too_large', `inputs: expected at most ${UPLOAD_MAX_BYTES} bytes together, found ${total}.`);
  }
  return found;
}

/** Of a body that is stored for the job; an upload is stored already. */
function sizeOf(input: JobRequest['input']): number {
  return input.kind === 'body' ? input.size : 0;
}
