import type { VersionStatus } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { checkAdapterFile } from '../../../../schemas/rules.ts';
import type { Ports } from '../../ports.ts';
import { unknownAdapter } from '../../principal.ts';
import { cardOf } from '../card.ts';
import { releaseFile } from '../files/hold.ts';
import { type IncomingFile, receiveFile } from '../files/receive.ts';
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
 * edge's rules, and then nothing is stored.
 */
export async function uploadVersion(
  ports: Ports,
  tenant: string,
  name: string,
  incoming: IncomingFile,
): Promise<Uploaded> {
  if (!(await ports.catalogue.tenants.exists(tenant))) throw unknownAdapter();
  const bases = await ports.catalogue.bases.architectures();
  const file = await receiveFile(ports, incoming, 'invalid_adapter', (header, size) =>
    checkAdapterFile(header, size, (digest) => bases.get(digest)),
  );
  const { digest, hold } = file;
  const { manifest } = file.checked;
  const version = { name, digest, base: manifest.base, card: cardOf(manifest) };
  try {
    const registered = await ports.catalogue.versions.register(tenant, version, hold, ports.now());
    if (registered === null) throw new ServiceError('conflict', 'The upload took too long; send it again.');
    if (registered.status === 'verifying') {
      ports.later(verifyVersion(ports, tenant, { name, version: registered.version }));
    }
    return { ...registered, digest };
  } catch (error) {
    await releaseFile(ports, file);
    throw error;
  }
}
