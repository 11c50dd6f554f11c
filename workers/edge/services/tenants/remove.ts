import { ServiceError } from '../../../../schemas/errors.ts';
import { persistently } from '../../persistently.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, type Principal } from '../../principal.ts';
import { hmacHex } from '../../secrets.ts';
import { takeAway } from '../files/take-away.ts';

/**
 * Takes the tenant away with all that is its own: every row, its bodies in the bucket, and those of its files that no
 * one else has too. What stays is a tombstone that does not name it. Throws `not_found` where it is not there.
 */
export async function removeTenant(ports: Ports, principal: Principal, tenant: string): Promise<void> {
  const nameHash = await hmacHex(ports.settings.keyPepper, tenant);
  const tombstone = { nameHash, at: ports.now(), actor: actorOf(principal) };
  const estate = await ports.catalogue.tenants.remove(tenant, tombstone);
  if (estate === null) throw new ServiceError('not_found', 'There is no such tenant.');
  // The rows are gone, so that nothing new comes under these keys while they are cleared.
  await persistently(() => ports.tenantObjects.remove(estate));
  await persistently(() => takeAway(ports, estate.files));
}
