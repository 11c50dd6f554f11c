import { randomUUID } from 'node:crypto';
import { DIRECT_BODY_MAX_BYTES, UPLOAD_MAX_BYTES } from '../schemas/limits.ts';
import { lastLine, PART_END, partHead } from '../schemas/multipart.ts';
import { CliError } from './failure.ts';
import { fileBody } from './files.ts';
import type { Image } from './images.ts';

/** The images as one body of a segmentation. */
export interface SegmentBody {
  readonly body: Blob;
  readonly type: string;
}

/** One volume as it is, several as multipart with one part a channel. Throws `too_large` where no upload would take them. */
export async function bodyOf(images: readonly Image[]): Promise<SegmentBody> {
  const files = await Promise.all(images.map(async ({ channel, path }) => ({ channel, file: await fileBody(path) })));
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  if (bytes > UPLOAD_MAX_BYTES) {
    throw new CliError(
      'too_large',
      `the images have ${bytes} bytes; at most ${UPLOAD_MAX_BYTES} can be segmented at once`,
    );
  }
  const [first] = files;
  if (first !== undefined && files.length === 1 && first.channel === null) {
    return { body: first.file, type: 'application/octet-stream' };
  }
  const boundary = `pdora-${randomUUID()}`;
  const parts = files.flatMap(({ channel, file }) => [partHead(boundary, channel ?? ''), file, PART_END]);
  return { body: new Blob([...parts, lastLine(boundary)]), type: `multipart/form-data; boundary=${boundary}` };
}

/** For one request. */
export function isTooLarge({ body }: SegmentBody): boolean {
  return body.size > DIRECT_BODY_MAX_BYTES;
}
