import { ServiceError } from '../../../../schemas/errors.ts';
import { type AdapterRef, parseRef } from '../../../../schemas/names.ts';
import type { Ports } from '../../ports.ts';
import { fullName, type Principal, unknownAdapter, viewerOf } from '../../principal.ts';
import type { VersionRecord } from '../../store/version-store.ts';
import type { Viewer } from '../../store/words.ts';
import { nudge } from './verify.ts';

/** Reads a reference; throws `invalid_request` for what is none. */
export function readRef(text: string): AdapterRef {
  const ref = parseRef(text);
  if (!ref.ok) throw new ServiceError('invalid_request', `adapter: ${ref.error}.`);
  return ref.value;
}

export type VersionRef = Exclude<AdapterRef, { kind: 'base' }>;

/** As `readRef`, where the base alone is nothing to refer to. */
export function readVersionRef(text: string): VersionRef {
  const ref = readRef(text);
  if (ref.kind === 'base') throw unknownAdapter();
  return ref;
}

/**
 * The version that a reference means to this caller, ready or not. Throws `not_found` for what is not there or not
 * the caller's to know, `adapter_not_ready` where `latest` is asked of an adapter none of whose versions is ready.
 */
export async function resolveVersion(ports: Ports, principal: Principal, ref: VersionRef): Promise<VersionRecord> {
  const viewer = viewerOf(principal);
  const version = await findVersion(ports, viewer, principal, ref);
  if (version === null) throw unknownAdapter();
  return version;
}

/** As `resolveVersion`, for use: throws `adapter_not_ready` where the version is not ready. */
export async function resolveReady(ports: Ports, principal: Principal, ref: VersionRef): Promise<VersionRecord> {
  const version = await resolveVersion(ports, principal, ref);
  if (version.status === 'ready') return version;
  nudge(ports, [version]);
  const { tenant, name, status } = version;
  throw new ServiceError('adapter_not_ready', `${tenant}/${name}@${version.version} is ${status}.`);
}

async function findVersion(
  ports: Ports,
  viewer: Viewer,
  principal: Principal,
  ref: VersionRef,
): Promise<VersionRecord | null> {
  const { versions } = ports.catalogue;
  if (ref.kind === 'digest') return versions.findByDigest(viewer, ref.digest);
  const adapter = fullName(principal, ref.name, ref.tenant);
  const version = await versions.find(viewer, adapter, ref.selector);
  if (version !== null || ref.selector.kind !== 'latest') return version;
  const all = await versions.list(viewer, adapter);
  if (all.length === 0) return null;
  nudge(ports, all);
  throw new ServiceError('adapter_not_ready', `No version of ${adapter.tenant}/${adapter.name} is ready.`);
}
