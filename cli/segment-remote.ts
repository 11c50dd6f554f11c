import { randomUUID } from 'node:crypto';
import { DIRECT_BODY_MAX_BYTES } from '../schemas/limits.ts';
import { lastLine, PART_END, partHead } from '../schemas/multipart.ts';
import { BASE_REF, DIGEST_PATTERN, parseRef } from '../schemas/names.ts';
import type { Client } from './client.ts';
import { CliError } from './failure.ts';
import { fileBody } from './files.ts';
import type { Image } from './images.ts';
import { writeAtomically } from './output.ts';
import { progressBar, spinner } from './progress.ts';

export interface RemoteRequest {
  readonly images: readonly Image[];
  readonly adapter: string;
  readonly output: string;
  readonly deadlineSeconds?: number;
}

/** What the reply's headers say about how the label map was made. */
export interface Made {
  readonly adapterId: string | null;
  readonly version: string | null;
  readonly adapterDigest: string | null;
  readonly baseDigest: string;
  readonly cache: string;
  /** Milliseconds of each phase, in the order they ran. */
  readonly phases: ReadonlyMap<string, number>;
}

/** Segments through the API and writes the label map, whole or not at all. */
export async function segmentRemotely(client: Client, request: RemoteRequest): Promise<Made> {
  const { body, type } = await bodyOf(request.images);
  const uploading = progressBar('upload', body.size);
  let working: { stop(): void } = uploading;
  try {
    const reply = await client.send('/v1/segmentations', {
      method: 'POST',
      query: { adapter: request.adapter, deadline: request.deadlineSeconds },
      headers: { 'content-type': type },
      body,
      onSent(sent) {
        uploading.update(sent);
        if (sent < body.size) return;
        uploading.stop();
        working = spinner('segmenting');
      },
    });
    const made = readMade(reply.headers, request.adapter);
    if (reply.body === null) throw new CliError('bad_reply', 'the service answered without a label map');
    await writeAtomically(request.output, reply.body);
    return made;
  } finally {
    working.stop();
  }
}

/** One volume as it is, several as multipart with one part a channel. */
async function bodyOf(images: readonly Image[]): Promise<{ body: Blob; type: string }> {
  const [first] = images;
  if (first !== undefined && images.length === 1 && first.channel === null) {
    return { body: await fileBody(first.path), type: 'application/octet-stream' };
  }
  const boundary = `pdora-${randomUUID()}`;
  const parts: (string | Blob)[] = [];
  for (const { channel, path } of images) {
    parts.push(partHead(boundary, channel ?? ''), await fileBody(path), PART_END);
  }
  const body = new Blob([...parts, lastLine(boundary)]);
  if (body.size > DIRECT_BODY_MAX_BYTES) {
    throw new CliError(
      'too_large',
      `the images have ${body.size} bytes; at most ${DIRECT_BODY_MAX_BYTES} go in one request`,
    );
  }
  return { body, type: `multipart/form-data; boundary=${boundary}` };
}

/** Reads the promised headers and holds them against what was asked for: a mask of another adapter is no answer. */
export function readMade(headers: Headers, ref: string): Made {
  const baseDigest = headers.get('x-base-digest');
  const adapterDigest = headers.get('x-adapter-digest');
  const version = headers.get('x-adapter-version');
  const cache = headers.get('x-adapter-cache');
  if (baseDigest === null || !DIGEST_PATTERN.test(baseDigest)) throw wrong('no base digest');
  if (ref !== BASE_REF) {
    if (adapterDigest === null || !DIGEST_PATTERN.test(adapterDigest)) throw wrong('no adapter digest');
    const asked = parseRef(ref);
    if (asked.ok && asked.value.kind === 'digest' && asked.value.digest !== adapterDigest) {
      throw wrong(`a label map of ${adapterDigest}, not of ${ref}`);
    }
    if (asked.ok && asked.value.kind === 'name' && asked.value.selector.kind === 'version') {
      if (version !== String(asked.value.selector.version))
        throw wrong(`a label map of version ${version}, not of ${ref}`);
    }
  }
  const phases = readPhases(headers.get('server-timing') ?? '');
  return { adapterId: headers.get('x-adapter-id'), version, adapterDigest, baseDigest, cache: cache ?? '-', phases };
}

function wrong(what: string): CliError {
  return new CliError('bad_reply', `the service answered with ${what}; nothing was written`);
}

/** `fuse;dur=1.5, infer;dur=2000` as milliseconds by name. */
function readPhases(field: string): ReadonlyMap<string, number> {
  const phases = new Map<string, number>();
  for (const metric of field.split(',')) {
    const [name = '', ...parameters] = metric.split(';').map((part) => part.trim());
    const duration = parameters.find((p) => p.startsWith('dur='))?.slice('dur='.length);
    if (name !== '' && duration !== undefined) phases.set(name, Number(duration));
  }
  return phases;
}
