import type { Ports } from '../../ports.ts';
import { unknownAdapter } from '../../principal.ts';
import type { AdapterName, Page } from '../../store/words.ts';

/** Whom the owner let use the adapter, by name. */
export async function listGrants(ports: Ports, { tenant, name }: AdapterName, page: Page<string>): Promise<string[]> {
  const grantees = await ports.catalogue.grants.list(tenant, name, page);
  if (grantees === null) throw unknownAdapter();
  return grantees;
}
