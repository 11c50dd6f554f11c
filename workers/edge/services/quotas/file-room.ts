import type { Ports } from '../../ports.ts';
import { unknownAdapter } from '../../principal.ts';
import type { WantedFile } from '../../store/quota-store.ts';
import { overStorage } from './errors.ts';

/**
 * Refuses a file before its body is taken in: throws `quota_exceeded` where the tenant has no room for it, `not_found`
 * where there is no such tenant. Answers how many bytes the tenant may store, for the statement that has the last word.
 */
export async function checkRoom(ports: Ports, tenant: string, file: WantedFile): Promise<number> {
  const room = await ports.catalogue.quotas.room(tenant, file, ports.now());
  if (room === null) throw unknownAdapter();
  const { usedBytes, allowedBytes, known } = room;
  if (!known && usedBytes + file.size > allowedBytes) throw overStorage(usedBytes, file.size, allowedBytes);
  return allowedBytes;
}
