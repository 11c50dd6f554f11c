import type { Ports } from '../../ports.ts';

/** Takes those of these files out of the bucket that nothing points at and nobody holds: mark, delete, forget. */
export async function takeAway(ports: Ports, digests: readonly string[]): Promise<void> {
  for (const digest of digests) {
    if (!(await ports.catalogue.files.mark(digest, ports.now()))) continue;
    await ports.blobs.remove(digest);
    await ports.catalogue.files.forget(digest);
  }
}
