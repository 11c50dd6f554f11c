import type { Ports } from '../../ports.ts';
import { takeAway } from './take-away.ts';

const STAGING_KEPT_MS = 3_600_000;
const FILES_AT_ONCE = 100;

/** Clears what a call that was cut off left behind: staged bodies, and files that nothing points at. */
export async function keepHouse(ports: Ports): Promise<void> {
  const now = ports.now();
  await ports.blobs.sweepStaging(now - STAGING_KEPT_MS);
  await takeAway(ports, await ports.catalogue.files.abandoned(now, FILES_AT_ONCE));
}
