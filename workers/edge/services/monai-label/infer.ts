import { ServiceError } from '../../../../schemas/errors.ts';
import { partHead } from '../../../../schemas/multipart.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runners/runner-client.ts';
import type { ImageRecord } from '../../store/image-store.ts';
import { forwardBody, forwardChunks } from '../segmentations/forwarded-body.ts';
import { type Segmented, segmentRecorded } from '../segmentations/recorded.ts';
import type { Volumes } from '../segmentations/segment.ts';
import type { Subject } from '../segmentations/subject.ts';
import { extensionOf } from './file-name.ts';
import { findImage, findSession, openImage } from './find-image.ts';
import type { Form, FormFile } from './form.ts';
import { formatOf, type ResultExtension, resultExtension } from './result-extension.ts';

/** With the length of the label map, which every answer here says. */
export interface Inferred extends Segmented {
  readonly length: number;
  /** Of its file. */
  readonly extension: ResultExtension;
}

export interface Inference {
  readonly runId: string;
  /** A reference to an adapter. */
  readonly model: string;
  /** Of the datastore; empty for none. */
  readonly image: string;
  /** Empty for none. */
  readonly session: string;
  readonly form: Form;
  readonly deadlineSeconds: number;
  /** How the result's file is to end; null where the client does not say. */
  readonly resultExtension: string | null;
  readonly signal: AbortSignal;
}

/**
 * Segments the image of a session, of the form or of the datastore: the first of them that the call names. Throws
 * `not_found` where that is gone, in place of going on with another.
 */
export async function infer(ports: Ports, principal: Principal, call: Inference): Promise<Inferred> {
  const { runId, model, deadlineSeconds, signal, form } = call;
  try {
    const { volumes, extension: sent } = await sourceOf(ports, principal, call);
    const extension = resultExtension(call.resultExtension, sent);
    const kind = { output: 'labels' as const, format: formatOf(extension) };
    const input = { runId, adapter: model, ...kind, deadlineSeconds, volumes, signal };
    const done = await segmentRecorded(ports, principal, input);
    return { ...done, extension, length: await lengthOf(done.reply) };
  } catch (error) {
    await form.drain();
    throw error;
  }
}

/** How to send the image to a runner, and how its file ends. */
interface Source {
  readonly extension: string;
  readonly volumes: (subject: Subject) => Volumes | Promise<Volumes>;
}

async function sourceOf(ports: Ports, principal: Principal, { session, form, image }: Inference): Promise<Source> {
  if (session !== '') return ofImage(ports, await findSession(ports, principal, session));
  const { file } = form;
  if (file !== null) return { extension: extensionOf(file.filename), volumes: (subject) => ofForm(file, subject) };
  if (image !== '') return ofImage(ports, await findImage(ports, principal, image));
  // MONAI Label's own words and status.
  throw new ServiceError('internal', 'Neither Image nor File not Session ID input is provided');
}

function ofImage(ports: Ports, image: ImageRecord): Source {
  const volumes = async (subject: Subject) => {
    onlyChannel(subject);
    const body = forwardBody(await openImage(ports, image), image.size);
    return { body, contentType: 'application/octet-stream' };
  };
  return { extension: image.extension, volumes };
}

/**
 * The client's form with another head: so its length is known although that of its file is not, before it has passed.
 */
function ofForm(file: FormFile, subject: Subject): Volumes {
  const head = new TextEncoder().encode(partHead(file.boundary, onlyChannel(subject)));
  return {
    body: forwardChunks(headed(head, file.chunks()), head.byteLength + file.length),
    contentType: `multipart/form-data; boundary="${file.boundary}"`,
  };
}

async function* headed(head: Uint8Array, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* chunks;
}

/** Throws `bad_runner_reply` where the runner told none. */
async function lengthOf({ contentLength, body }: SegmentReply): Promise<number> {
  const length = Number(contentLength ?? Number.NaN);
  if (Number.isSafeInteger(length)) return length;
  await body.cancel();
  throw new ServiceError('bad_runner_reply', 'The runner told no length.');
}

function onlyChannel({ version, base }: Subject): string {
  const { channels } = (version ?? base).card;
  const [only, ...more] = channels;
  if (only === undefined || more.length > 0) {
    throw new ServiceError(
      'channel_mismatch',
      `The model needs ${channels.length} images; MONAI Label's API sends one.`,
    );
  }
  return only;
}
