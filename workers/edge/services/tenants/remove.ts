import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { takeAway } from '../files/take-away.ts';

/** Takes the tenant away with its keys, adapters and those of its files that no one else has too. */
export async function removeTenant(ports: Ports, tenant: string): Promise<void> {
  const files = await ports.catalogue.tenants.remove(tenant);
  if (files === null) throw new ServiceError('not_found', 'There is no such tenant.');
  await ports.limiter.forget(tenant);
  await takeAway(ports, files);
}
