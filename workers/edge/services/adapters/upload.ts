import type { VersionStatus } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { checkAdapterFile } from '../../../../schemas/rules.ts';
import { discarded } from '../../body-stream.ts';
import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';
import { cardOf } from '../card.ts';
import { releaseFile } from '../files/hold.ts';
import { type IncomingFile, receiveFile } from '../files/receive.ts';
import { overStorage } from '../quotas/errors.ts';
import { checkRoom } from '../quotas/file-room.ts';
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
 * edge's rules, `quota_exceeded` where the tenant has no room for the file, `unauthorized` where the key is revoked
 * before the file has come; then nothing is stored.
 */
export async function uploadVersion(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
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
    const key = principal.kind === 'tenant' ? principal.keyId : null;
    const details = { tenant, adapter: digest, base: manifest.base };
    const entry = auditEntry(ports, principal, 'version.create', `${tenant}/${name}`, details);
    const right = { hold, key, allowedBytes, now: ports.now() };
    const registered = await ports.catalogue.versions.register(tenant, version, right, entry);
    if (registered === null) throw await unregistered(ports, tenant, key);
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

/** Why a file that came whole makes no version. */
async function unregistered(ports: Ports, tenant: string, key: string | null): Promise<ServiceError> {
  if (key !== null && (await ports.catalogue.keys.find(tenant, key)) === null) {
    return new ServiceError('unauthorized', 'The key was revoked while the file was coming.');
  }
  if (!(await ports.catalogue.tenants.exists(tenant))) return unknownAdapter();
  return new ServiceError('conflict', 'The upload took too long; send it again.');
}
