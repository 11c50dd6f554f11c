import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { KeyRecord } from '../../store/key-store.ts';
import { auditEntry } from '../audit/entry.ts';
import { issueKey, requireScopes } from './issue.ts';

/**
 * Makes a key with the name, scopes and expiry of this one, which goes on working for `overlapSeconds`, though never
 * longer than it would have. A key is rotated once, so that no more than two are ever valid in its place. Throws
 * `forbidden` where the issuer lacks one of its scopes, `not_found` where it is not there, `conflict` where it has
 * ended or was rotated before.
 */
export async function rotateKey(
  ports: Ports,
  tenant: string,
  issuer: Principal,
  id: string,
  overlapSeconds: number,
): Promise<KeyRecord & { readonly key: string }> {
  const old = await ports.catalogue.keys.find(tenant, id);
  if (old === null) throw new ServiceError('not_found', 'There is no such key.');
  requireScopes(issuer, old.scopes);
  const now = ports.now();
  const { key, ...kept } = await issueKey(ports);
  const entry = auditEntry(ports, issuer, 'key.rotate', `${id} to ${kept.id}`, { tenant });
  const into = { ...kept, now, until: now + overlapSeconds * 1000 };
  const made = await ports.catalogue.keys.rotate(tenant, id, into, entry);
  if (made === null) throw new ServiceError('conflict', 'The key has ended, or was rotated before.');
  return { ...made, key };
}
