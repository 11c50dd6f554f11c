import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { actorOf, type Principal } from '../../principal.ts';
import { hmacHex } from '../../secrets.ts';
import { clearEstate } from './estate.ts';

/**
 * Takes the tenant away with all that is its own: every row, its bodies in the bucket, and those of its files that no
 * one else has too. What stays is a tombstone that does not name it. Throws `not_found` where it is not there,
 * `storage_unavailable` where it is gone but the bucket did not let all of its bodies go.
 */
export async function removeTenant(ports: Ports, principal: Principal, tenant: string): Promise<void> {
  const nameHash = await hmacHex(ports.settings.keyPepper, tenant);
  const tombstone = { nameHash, at: ports.now(), actor: actorOf(principal) };
  const estate = await ports.catalogue.tenants.remove(tenant, tombstone);
  if (estate === null) throw new ServiceError('not_found', 'There is no such tenant.');
  // The rows are gone, so that nothing new comes under these keys while they are cleared.
  const cleared = await Promise.allSettled([ports.limiter.forget(tenant), clearEstate(ports, estate)]);
  const failed = cleared.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    const detail = 'The tenant is deleted; the storage still has some of its bodies, which housekeeping clears.';
    throw new ServiceError('storage_unavailable', detail, { cause: failed.reason });
  }
}
