import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';

/**
 * Takes one version away; its number is never used again. Its file stays for a while, for runs that have started, and
 * goes by housekeeping. Throws `in_use` while an alias points there.
 */
export async function removeVersion(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
  version: number,
): Promise<void> {
  const { versions } = ports.catalogue;
  const found = await versions.find({ kind: 'tenant', tenant }, { tenant, name }, { kind: 'version', version });
  if (found === null) throw unknownAdapter();
  const details = { tenant, adapter: found.digest, base: found.base };
  const entry = auditEntry(ports, principal, 'version.delete', `${tenant}/${name}@${version}`, details);
  const removed = await versions.remove(tenant, { name, version }, entry);
  if (removed === null) throw unknownAdapter();
  if (removed === 'in use') throw new ServiceError('in_use', `An alias points to version ${version}.`);
}

/** Takes all versions of an adapter away. Throws `in_use` while an alias points to one. */
export async function removeAdapter(ports: Ports, principal: Principal, { tenant, name }: AdapterName): Promise<void> {
  const entry = auditEntry(ports, principal, 'adapter.delete', `${tenant}/${name}`, { tenant });
  const files = await ports.catalogue.adapters.remove(tenant, name, entry);
  if (files === null) throw new ServiceError('in_use', 'An alias points to one of its versions.');
  if (files.length === 0) throw unknownAdapter();
}
