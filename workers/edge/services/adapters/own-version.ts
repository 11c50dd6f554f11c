import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { VersionRecord } from '../../store/version-store.ts';
import { resolveVersion, type VersionRef } from './resolve.ts';

/** The version whose file its owner may read; to everyone else there is none, whatever else they may see of it. */
export async function ownVersion(ports: Ports, principal: Principal, ref: VersionRef): Promise<VersionRecord> {
  const version = await resolveVersion(ports, principal, ref);
  if (principal.kind === 'tenant' && version.tenant !== principal.tenant) throw unknownAdapter();
  return version;
}
