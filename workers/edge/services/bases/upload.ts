import { ServiceError } from '../../../../schemas/errors.ts';
import { checkBaseFile } from '../../../../schemas/rules.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { BaseRecord } from '../../store/base-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { cardOf } from '../card.ts';
import { grantFile } from '../files/grant.ts';
import { releaseFile } from '../files/hold.ts';
import { type IncomingFile, receiveFile } from '../files/receive.ts';
import { digestOfBase } from './digest.ts';

/**
 * Stores a base that a runner finds nothing wrong with, and serves it from then on. A base that is served already, by
 * its base digest, stays as it is. Throws `invalid_base` with the problems, `runner_unavailable` where none can
 * verify it; either way nothing is kept.
 */
export async function uploadBase(
  ports: Ports,
  principal: Principal,
  incoming: IncomingFile,
): Promise<{ base: BaseRecord; created: boolean }> {
  const file = await receiveFile(ports, incoming, 'invalid_base', checkBaseFile);
  try {
    const { header, manifest } = file.checked;
    const { architecture, name } = manifest;
    const digest = await digestOfBase(ports.blobs, file.digest, architecture, header);
    const there = await ports.catalogue.bases.find(digest);
    if (there === null) {
      await verify(ports, digest, file.digest);
      const card = cardOf(manifest);
      const base = { digest, file: file.digest, name, architecture, card, createdAt: ports.now() };
      const entry = auditEntry(ports, principal, 'base.create', name, { base: digest });
      if (await ports.catalogue.bases.register(base, file.hold, entry)) {
        return { base: { ...base, size: file.size }, created: true };
      }
    }
    const base = there ?? (await ports.catalogue.bases.find(digest));
    if (base === null) throw new ServiceError('conflict', 'The upload took too long; send it again.');
    await releaseFile(ports, file);
    return { base, created: false };
  } catch (error) {
    await releaseFile(ports, file);
    throw error;
  }
}

async function verify(ports: Ports, digest: string, file: string): Promise<void> {
  const base = { digest, file: await grantFile(ports, file) };
  const problems = await ports.runner.verify({ runId: crypto.randomUUID(), trace: ports.trace, base, adapter: null });
  const [first] = problems;
  if (first !== undefined) throw new ServiceError('invalid_base', `${first.path}: ${first.message}`, { problems });
}
