import { formatOf } from './answer-file.ts';
import type { Client, Query } from './client.ts';
import { CliError } from './failure.ts';
import { type Made, readMade } from './made.ts';
import { writeAtomically } from './output.ts';
import { progressBar, spinner } from './progress.ts';
import type { SegmentBody } from './segment-body.ts';

export interface RemoteRequest {
  readonly body: SegmentBody;
  readonly adapter: string;
  /** Its name says the format. */
  readonly output: string;
  readonly deadlineSeconds?: number;
}

export function queryOf({ adapter, output, deadlineSeconds }: RemoteRequest): Query {
  const format = formatOf(output);
  return { adapter, ...(format === 'nifti' ? {} : { format }), deadline: deadlineSeconds };
}

/** Segments through the API in one call and writes the label map, whole or not at all. */
export async function segmentRemotely(client: Client, request: RemoteRequest): Promise<Made> {
  const { body, type } = request.body;
  const uploading = progressBar('upload', body.size);
  let working: { stop(): void } = uploading;
  try {
    const reply = await client.send('/v1/segmentations', {
      method: 'POST',
      query: queryOf(request),
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
