import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, ownerOf, type Principal } from '../../principal.ts';
import type { MultipartPlace } from '../../store/multipart-store.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { ownUpload, unknownUpload } from './find.ts';

/** Takes an upload away with its parts. Throws `in_use` while a job that has not ended reads it. */
export async function removeUpload(ports: Ports, principal: Principal, id: string): Promise<void> {
  const upload = await ownUpload(ports, principal, id);
  const removed = await discardUpload(ports, upload, actorOf(principal));
  if (removed === null) throw unknownUpload();
  if (removed === 'in use') throw new ServiceError('in_use', 'A segmentation that has not ended reads this upload.');
}

/** After the reply: an upload that a version or a base was made of is not needed any more. */
export function consumeUpload(ports: Ports, principal: Principal, id: string): void {
  const consume = async () => {
    const upload = await ports.catalogue.uploads.find(ownerOf(principal), id);
    if (upload !== null) await discardUpload(ports, upload, actorOf(principal));
  };
  // It expires in any case.
  ports.later(consume().catch((error: unknown) => ports.log.warn('an upload is kept until it expires', error)));
}

/** Forgets an upload at once; its bytes go after the reply, or by housekeeping. */
export async function discardUpload(
  ports: Ports,
  { tenant, id, multipart }: UploadRecord,
  actor: string,
): Promise<'removed' | 'in use' | null> {
  const { requestId } = ports;
  const entry = {
    tenant,
    actor,
    action: 'upload.delete',
    subject: id,
    outcome: 'ok',
    requestId,
    at: ports.now(),
  } as const;
  const removed = await ports.catalogue.uploads.remove(tenant, id, entry);
  if (removed === 'removed') {
    const cleared = clearRemains(ports, [{ id, multipart }]);
    ports.later(cleared.catch((error: unknown) => ports.log.warn("an upload's bytes are left", error)));
  }
  return removed;
}

/** Takes what is left of uploads that are gone out of the bucket. */
export async function clearRemains(ports: Ports, remains: readonly MultipartPlace[]): Promise<void> {
  for (const place of remains) {
    await ports.multiparts.remove(place);
    await ports.catalogue.uploads.forgetRemains(place.id);
  }
}
