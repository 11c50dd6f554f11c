import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import type { ImageRecord } from '../../store/image-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { imageKey } from './image-key.ts';

/** Takes an image away at once. */
export async function removeImage(ports: Ports, principal: Principal, { id }: ImageRecord): Promise<void> {
  const entry = auditEntry(ports, principal, 'image.delete', id);
  if (!(await ports.catalogue.images.remove(ownerOf(principal), id, entry))) {
    throw new ServiceError('not_found', 'The image is gone.');
  }
  await ports.objects.remove([imageKey(id)]);
}
