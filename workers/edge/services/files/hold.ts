import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { takeAwayUnused } from './take-away.ts';

/** Longer than any upload takes; one that is slower is refused at its end and can be sent again. */
const HOLD_MS = 3_600_000;
const WAITS = 20;
const WAIT_MS = 100;
const RETRY_AFTER_SECONDS = 10;

/**
 * Says that a file is coming, before it is put, and keeps it from being taken away. Waits where it is just being taken
 * away, and ends that where whoever began it never did; throws `storage_unavailable` where it takes too long.
 */
export async function holdFile(ports: Ports, digest: string, size: number): Promise<string> {
  const id = crypto.randomUUID();
  for (let wait = 0; wait < WAITS; wait++) {
    const now = ports.now();
    if (await ports.catalogue.files.hold(digest, size, { id, now, until: now + HOLD_MS })) return id;
    await takeAwayUnused(ports, [digest]);
    await scheduler.wait(WAIT_MS);
  }
  throw new ServiceError('storage_unavailable', 'The same file is just being deleted; send it again.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

/** Lets a file go that came to nothing, and takes it away where nothing else needs it or did until just now. */
export async function releaseFile(
  ports: Ports,
  file: { readonly digest: string; readonly hold: string },
): Promise<void> {
  await ports.catalogue.files.release(file.hold);
  await takeAwayUnused(ports, [file.digest]);
}
