import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { isSigned, type Signature, type UploadStep } from './sign.ts';

/** The caller's own upload. Throws `not_found`, also for another's. */
export async function ownUpload(ports: Ports, principal: Principal, id: string): Promise<UploadRecord> {
  const upload = await ports.catalogue.uploads.find(ownerOf(principal), id, ports.now());
  if (upload === null) throw unknownUpload();
  return upload;
}

/**
 * The upload that a signed URL names. A signature stands for the key that asked for the upload: once that key, its tenant
 * or the upload is gone, it is `unauthorized` like a wrong one.
 */
export async function signedUpload(
  ports: Ports,
  id: string,
  step: UploadStep,
  shown: Signature,
): Promise<UploadRecord> {
  const signed = await isSigned(ports, id, step, shown);
  const upload = signed ? await ports.catalogue.uploads.findSigned(id, ports.now()) : null;
  if (upload === null) throw new ServiceError('unauthorized', 'The signature is wrong, or no longer holds.');
  return upload;
}

export function unknownUpload(): ServiceError {
  return new ServiceError('not_found', 'There is no such upload, or it is not of this key.');
}
