import type { Ports } from '../../ports.ts';
import { clearRemains } from '../uploads/remove.ts';
import { inTurns } from './in-turns.ts';

const AT_ONCE = 100;
const PAGES = 10;
/** Fewer, for each upload asks the database once. */
const CLEARED_PAGES = 3;

/** Forgets uploads that ran out, but for those that a job still reads. */
export async function expireUploads(ports: Ports): Promise<void> {
  await inTurns(PAGES, AT_ONCE, () => ports.catalogue.uploads.expire(ports.now(), AT_ONCE));
}

/** Takes the bytes of uploads away that are gone, whatever took them: expiry, a deletion, or that of their tenant. */
export async function clearUploads(ports: Ports): Promise<void> {
  await inTurns(CLEARED_PAGES, AT_ONCE, async () => {
    const remains = await ports.catalogue.uploads.remains(AT_ONCE);
    await clearRemains(ports, remains);
    return remains.length;
  });
}
