import type { VersionStatus } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { checkAdapterFile } from '../../../../schemas/rules.ts';
import { discarded } from '../../body-stream.ts';
import type { Ports } from '../../ports.ts';
import { cardOf } from '../card.ts';
import { releaseFile } from '../files/hold.ts';
import { type IncomingFile, receiveFile } from '../files/receive.ts';
import { checkRoom } from '../quotas/check-room.ts';
import { overStorage } from '../quotas/errors.ts';
import { verifyVersion } from './verify.ts';

export interface Uploaded {
  readonly created: boolean;
  readonly version: number;
  readonly digest: string;
  readonly status: VersionStatus;
}

/**
 * Stores a file as the next version of the tenant's adapter and has it verified after the reply. Bytes that are a
 * version already give that one; a rejected one is verified again. Throws `invalid_adapter` with the problems of the
 * edge's rules, `quota_exceeded` where the tenant has no room for the file; then nothing is stored.
 */
export async function uploadVersion(
  ports: Ports,
  tenant: string,
  name: string,
  incoming: IncomingFile,
): Promise<Uploaded> {
  const allowedBytes = await checkRoom(ports, tenant, incoming).catch(async (error: unknown) => {
    await discarded(incoming.body);
    throw error;
  });
  const bases = await ports.catalogue.bases.architectures();
  const file = await receiveFile(ports, incoming, 'invalid_adapter', (header, size) =>
    checkAdapterFile(header, size, (digest) => bases.get(digest)),
  );
  const { digest, size, hold } = file;
  const { manifest } = file.checked;
  const version = { name, digest, size, base: manifest.base, card: cardOf(manifest) };
  try {
    const registered = await ports.catalogue.versions.register(tenant, version, hold, allowedBytes, ports.now());
    if (registered === null) throw new ServiceError('conflict', 'The upload took too long; send it again.');
    if ('usedBytes' in registered) throw overStorage(registered.usedBytes, size, allowedBytes);
    if (registered.status === 'verifying') {
      ports.later(verifyVersion(ports, tenant, { name, version: registered.version }));
    }
    return { ...registered, digest };
  } catch (error) {
    await releaseFile(ports, file);
    throw error;
  }
}
