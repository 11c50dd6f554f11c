import { ServiceError } from '../../../../schemas/errors.ts';
import type { AdapterRef } from '../../../../schemas/names.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import { resolveReady } from '../adapters/resolve.ts';
import type { Model } from './segment.ts';

/** What the reference means to this caller; what is unknown, not the caller's or not ready is an error. */
export async function resolveModel(ports: Ports, principal: Principal, ref: AdapterRef): Promise<Model> {
  const { bases } = ports.catalogue;
  if (ref.kind === 'base') {
    const base = await bases.first();
    if (base === null) throw new ServiceError('not_found', 'No base is served here.');
    return { version: null, base };
  }
  const version = await resolveReady(ports, principal, ref);
  const base = await bases.find(version.base);
  if (base === null) throw new Error('the base of a version is not in the catalogue');
  return { version, base };
}
