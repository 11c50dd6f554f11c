import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { AdapterName } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';
import { moved } from './moved.ts';

/** Takes an alias away. Throws `not_found` where there is none, `alias_conflict` where it is not at `expected`. */
export async function removeAlias(
  ports: Ports,
  principal: Principal,
  { tenant, name }: AdapterName,
  alias: string,
  expected: number | undefined,
): Promise<void> {
  const entry = auditEntry(ports, principal, 'alias.delete', `${tenant}/${name}@${alias}`, { tenant });
  const removal = await ports.catalogue.aliases.remove(tenant, { name, alias }, expected, entry);
  if (removal.kind === 'no alias') throw new ServiceError('not_found', 'There is no such alias.');
  if (removal.kind === 'conflict') throw moved(alias, removal.at);
}
