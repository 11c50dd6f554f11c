import type { Ports } from '../../ports.ts';
import { graceOver, takeAwayUnused } from '../files/take-away.ts';
import { inTurns } from './in-turns.ts';

const AT_ONCE = 100;
const PAGES = 10;
/** Fewer, for each file asks the database twice. */
const COLLECTED_PAGES = 2;

/** Takes away files that nothing has pointed at for their grace. */
export async function collectFiles(ports: Ports): Promise<void> {
  await inTurns(COLLECTED_PAGES, AT_ONCE, async () => {
    const files = await ports.catalogue.files.collectable(graceOver(ports), AT_ONCE);
    await takeAwayUnused(ports, files);
    return files.length;
  });
}

export async function dropHolds(ports: Ports): Promise<void> {
  await inTurns(PAGES, AT_ONCE, () => ports.catalogue.files.dropHolds(ports.now(), AT_ONCE));
}
