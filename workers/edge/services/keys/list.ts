import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { KeyRecord } from '../../store/key-store.ts';
import type { Page } from '../../store/words.ts';

export async function listKeys(ports: Ports, tenant: string, page: Page<string>): Promise<KeyRecord[]> {
  if (!(await ports.catalogue.tenants.exists(tenant))) throw new ServiceError('not_found', 'There is no such tenant.');
  return ports.catalogue.keys.list(tenant, page);
}
