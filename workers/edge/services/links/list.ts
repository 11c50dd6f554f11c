import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { LinkRecord } from '../../store/link-store.ts';
import type { Page } from '../../store/words.ts';

export async function listLinks(ports: Ports, tenant: string, page: Page<string>): Promise<LinkRecord[]> {
  if (!(await ports.catalogue.tenants.exists(tenant))) throw new ServiceError('not_found', 'There is no such tenant.');
  return ports.catalogue.links.list(tenant, page);
}
