import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { LinkRecord } from '../../store/link-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { requireScopes } from '../keys/issue.ts';
import { issueToken } from './issue.ts';

export interface NewLink {
  readonly name: string;
  readonly lifetime_seconds: number;
}

/**
 * Makes a link of the tenant and answers it with the one copy of its token. Throws `forbidden` where the issuer may not
 * segment itself, `not_found` where the tenant is not there.
 */
export async function createLink(
  ports: Ports,
  tenant: string,
  issuer: Principal,
  input: NewLink,
): Promise<LinkRecord & { readonly token: string }> {
  requireScopes(issuer, ['segment']);
  const { id, token, hash } = await issueToken(ports);
  const createdAt = ports.now();
  const link: LinkRecord = { id, name: input.name, createdAt, expiresAt: createdAt + input.lifetime_seconds * 1000 };
  const entry = auditEntry(ports, issuer, 'link.create', id, { tenant });
  if (!(await ports.catalogue.links.create(tenant, { ...link, hash }, entry))) {
    throw new ServiceError('not_found', 'There is no such tenant.');
  }
  return { ...link, token };
}
