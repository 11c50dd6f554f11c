import { FILE_GRACE_SECONDS } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import type { Age } from '../../store/file-store.ts';

/** Takes those of these files out of the bucket now that nothing points at and nobody holds. */
export async function takeAway(ports: Ports, digests: readonly string[]): Promise<void> {
  await collect(ports, digests, Number.MAX_SAFE_INTEGER);
}

/** As `takeAway`, but leaves those in their grace: a run that has started may still fetch what was just deleted. */
export async function takeAwayUnused(ports: Ports, digests: readonly string[]): Promise<void> {
  await collect(ports, digests, graceOver(ports).unusedBefore);
}

/** What may be taken away as far as its age goes. */
export function graceOver(ports: Ports): Age {
  const now = ports.now();
  return { now, unusedBefore: now - FILE_GRACE_SECONDS * 1000 };
}

/** Mark, delete, forget: who meets the mark waits, and puts the file again. */
async function collect(ports: Ports, digests: readonly string[], unusedBefore: number): Promise<void> {
  const id = crypto.randomUUID();
  for (const digest of digests) {
    if (!(await ports.catalogue.files.mark(digest, id, { now: ports.now(), unusedBefore }))) continue;
    await ports.blobs.remove(digest);
    await ports.catalogue.files.forget(digest, id);
  }
}
