import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import type { ImageRecord } from '../../store/image-store.ts';
import { imageKey } from './image-key.ts';
import { hashName } from './image-name.ts';

/** The caller's own session. Throws `not_found`, also for another's and one that ran out. */
export async function findSession(ports: Ports, principal: Principal, id: string): Promise<ImageRecord> {
  const session = await ports.catalogue.images.find(ownerOf(principal), { id }, ports.now());
  if (session === null) throw new ServiceError('not_found', 'Session Not Found: it ran out, or was never here.');
  return session;
}

/** An image of the caller's own datastore. Throws `not_found`. */
export async function findImage(ports: Ports, principal: Principal, name: string): Promise<ImageRecord> {
  const hash = await hashName(ports, principal, name);
  const image = await ports.catalogue.images.find(ownerOf(principal), { name: hash }, ports.now());
  if (image === null) throw new ServiceError('not_found', 'Image Not Found: it ran out, or was never here.');
  return image;
}

/** The image's bytes, and none of what lies behind them. Keeps it for its time from now on. */
export async function openImage(ports: Ports, { id, size }: ImageRecord): Promise<ReadableStream<Uint8Array>> {
  const found = await ports.objects.open(imageKey(id), size);
  if (found === null) throw new ServiceError('not_found', 'The image is gone.');
  await ports.catalogue.images.use(id, ports.now());
  return found.body;
}
