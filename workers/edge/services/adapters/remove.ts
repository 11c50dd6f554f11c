import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { unknownAdapter } from '../../principal.ts';

/**
 * Takes one version away; its number is never used again. Its file stays for a while, for runs that have started, and
 * goes by housekeeping. Throws `in_use` while an alias points there.
 */
export async function removeVersion(ports: Ports, tenant: string, name: string, version: number): Promise<void> {
  const { versions } = ports.catalogue;
  const found = await versions.find({ kind: 'tenant', tenant }, { tenant, name }, { kind: 'version', version });
  const removed = found === null ? null : await versions.remove(tenant, { name, version });
  if (found === null || removed === null) throw unknownAdapter();
  if (removed === 'in use') throw new ServiceError('in_use', `An alias points to version ${version}.`);
}

/** Takes all versions of an adapter away. Throws `in_use` while an alias points to one. */
export async function removeAdapter(ports: Ports, tenant: string, name: string): Promise<void> {
  const files = await ports.catalogue.adapters.remove(tenant, name);
  if (files === null) throw new ServiceError('in_use', 'An alias points to one of its versions.');
  if (files.length === 0) throw unknownAdapter();
}
