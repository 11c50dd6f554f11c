import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { BodyReader } from '../files/body-reader.ts';
import { pass } from '../files/pour.ts';
import { partSizes } from './parts.ts';

export interface IncomingPart {
  readonly part: number;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly length: number;
}

/**
 * Takes one part in as a stream; sent again, it takes the place of the earlier one. Throws `invalid_request` where its
 * length is not the part's, `conflict` where the upload takes no parts any more.
 */
export async function putPart(ports: Ports, upload: UploadRecord, incoming: IncomingPart): Promise<void> {
  const { part, body, length } = incoming;
  const reader = new BodyReader(body);
  try {
    const size = partSizes(upload.size)[part - 1];
    if (size === undefined) throw new ServiceError('not_found', `The upload has no part ${part}.`);
    if (length !== size) {
      throw new ServiceError('invalid_request', `Content-Length: expected the ${size} bytes of part ${part}.`);
    }
    if (upload.completedAt !== null) throw over();
    const stored = await pass(reader.chunks(), size, (stream) => ports.multiparts.part(upload, part, stream));
    if (!stored.ok) throw stored.error;
    if (stored.value === null) throw over();
    if (!(await ports.catalogue.uploads.putPart(upload.id, { part, etag: stored.value }))) throw over();
  } finally {
    await reader.drain();
  }
}

function over(): ServiceError {
  return new ServiceError('conflict', 'The upload is complete, or gone: it takes no more parts.');
}
