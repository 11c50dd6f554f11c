import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';
import { moved } from './moved.ts';

export interface AliasTarget {
  readonly version: number;
  /** Where the alias is now; null where there must be none. */
  readonly expected: number | null;
}

/**
 * Points an alias at a version by compare-and-set. Throws `alias_conflict` where it is not where it is expected,
 * `not_found` where there is no such version, `adapter_not_ready` where the version would not serve.
 */
export async function setAlias(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
  alias: string,
  { version, expected }: AliasTarget,
): Promise<void> {
  const { aliases, versions } = ports.catalogue;
  const viewer = { kind: 'tenant', tenant } as const;
  const found = await versions.find(viewer, { tenant, name }, { kind: 'version', version });
  if (found === null) throw unknownAdapter();
  const { digest: adapter, base } = found;
  const entry = auditEntry(ports, principal, 'alias.set', `${tenant}/${name}@${alias}`, { tenant, adapter, base });
  const move = await aliases.set(tenant, alias, { name, version }, expected, entry);
  if (move.kind === 'no version') throw unknownAdapter();
  if (move.kind === 'not ready') {
    throw new ServiceError('adapter_not_ready', `${tenant}/${name}@${version} is not ready.`);
  }
  if (move.kind === 'conflict') throw moved(alias, move.at);
}
