import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { unknownUpload } from './find.ts';
import { missingParts } from './parts.ts';
import { discardUpload } from './remove.ts';

/**
 * Makes the parts one body and compares it with what was promised; once more is the same. Throws `conflict` while parts
 * are missing, `invalid_request` where the body has another digest, and then the upload is gone.
 */
export async function completeUpload(ports: Ports, upload: UploadRecord): Promise<void> {
  if (upload.completedAt !== null) return;
  const { uploads } = ports.catalogue;
  const parts = await uploads.parts(upload.id);
  const missing = missingParts(upload.size, parts);
  if (missing.length > 0) throw new ServiceError('conflict', `These parts are missing: ${missing.join(', ')}.`);
  if (!(await ports.multiparts.complete(upload, parts))) {
    // Two of one part at once: the one that was noted last need not be the one that R2 kept.
    await uploads.forgetParts(upload.id);
    throw new ServiceError('conflict', 'Parts changed while they were put together; send all parts again.');
  }
  const digest = await ports.multiparts.digest(upload.id);
  if (digest === null) throw unknownUpload();
  if (digest !== upload.digest) {
    await discardUpload(ports, upload, 'service');
    throw new ServiceError('invalid_request', `sha256: expected ${upload.digest}, the parts make ${digest}.`);
  }
  if (!(await uploads.complete(upload.id, ports.now()))) throw unknownUpload();
}
