import { ServiceError } from '../../../../schemas/errors.ts';
import { UPLOAD_KEPT_SECONDS, UPLOAD_MAX_BYTES } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { checkStorage, whyRefused } from '../quotas/room.ts';

export interface NewUpload {
  readonly size: number;
  readonly sha256: string;
}

/**
 * Begins an upload under an id of the caller's making; one that is there already is answered as it is. Throws `too_large`
 * by the size alone, `quota_exceeded` where the tenant has no room for it.
 */
export async function createUpload(
  ports: Ports,
  principal: Principal,
  id: string,
  { size, sha256 }: NewUpload,
): Promise<UploadRecord> {
  if (size > UPLOAD_MAX_BYTES) {
    throw new ServiceError('too_large', `size: expected at most ${UPLOAD_MAX_BYTES} bytes, found ${size}.`);
  }
  const { uploads } = ports.catalogue;
  const tenant = ownerOf(principal);
  const there = await uploads.find(tenant, id);
  if (there !== null) return there;
  if (principal.kind === 'tenant') await checkStorage(ports, principal, size);
  const multipart = await ports.multiparts.start(id);
  const createdAt = ports.now();
  const upload: UploadRecord = {
    id,
    tenant,
    size,
    digest: sha256,
    multipart,
    completedAt: null,
    createdAt,
    expiresAt: createdAt + UPLOAD_KEPT_SECONDS * 1000,
  };
  const [key, allowed] =
    principal.kind === 'tenant' ? [principal.keyId, principal.quota.storedBytes] : [null, Number.MAX_SAFE_INTEGER];
  const entry = auditEntry(ports, principal, 'upload.create', id);
  if (await uploads.create({ ...upload, key }, allowed, entry)) return upload;
  const other = await uploads.find(tenant, id);
  if (other?.multipart !== multipart) await ports.multiparts.abort({ id, multipart });
  if (other !== null) return other;
  throw await whyRefused(ports, principal, size);
}
