import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import type { ImageRecord } from '../../store/image-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { pass } from '../files/pour.ts';
import { checkStorage, whyRefused } from '../quotas/room.ts';
import { FileEnd } from './file-end.ts';
import { extensionOf } from './file-name.ts';
import type { FormFile } from './form.ts';
import { imageKey } from './image-key.ts';
import { hashName } from './image-name.ts';

export interface Keeping {
  /** What the client calls it; null for a session. */
  readonly name: string | null;
  /** From its last use. */
  readonly seconds: number;
}

/**
 * Keeps the one file of a form for later calls; in the datastore it takes the place of one with its name. Throws
 * `quota_exceeded` where the tenant has no room for it, `invalid_request` where the form has more files or no end.
 */
export async function keepImage(
  ports: Ports,
  principal: Principal,
  file: FormFile,
  keeping: Keeping,
): Promise<ImageRecord> {
  const { length } = file;
  if (principal.kind === 'tenant') await checkStorage(ports, principal, length);
  const id = crypto.randomUUID();
  const end = new FileEnd(file.boundary);
  try {
    const stored = await pass(end.watch(file.chunks()), length, (body) => ports.objects.put(imageKey(id), body));
    if (!stored.ok) throw stored.error;
    const size = end.size();
    if (size === null || size === 0)
      throw new ServiceError('invalid_request', 'body: expected one file, and not an empty one.');
    return await write(
      ports,
      principal,
      { id, extension: extensionOf(file.filename), size, storedBytes: length },
      keeping,
    );
  } catch (error) {
    await ports.objects.remove([imageKey(id)]);
    throw error;
  }
}

async function write(
  ports: Ports,
  principal: Principal,
  object: Pick<ImageRecord, 'id' | 'extension' | 'size' | 'storedBytes'>,
  { name, seconds }: Keeping,
): Promise<ImageRecord> {
  const now = ports.now();
  const keptMs = seconds * 1000;
  const image: ImageRecord = {
    ...object,
    tenant: ownerOf(principal),
    name: name === null ? null : await hashName(ports, principal, name),
    keptMs,
    createdAt: now,
    usedAt: now,
    expiresAt: now + keptMs,
  };
  const allowed = principal.kind === 'tenant' ? principal.quota.storedBytes : Number.MAX_SAFE_INTEGER;
  const entry = auditEntry(ports, principal, 'image.create', image.id);
  const earlier = await ports.catalogue.images.create(image, allowed, entry);
  if (earlier === null) throw await whyRefused(ports, principal, image.storedBytes);
  // Housekeeping does what this cannot.
  ports.later(ports.objects.remove(earlier.map(imageKey)));
  return image;
}
