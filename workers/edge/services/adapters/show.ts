import type { Ports } from '../../ports.ts';
import { fullName, type Principal, unknownAdapter, viewerOf } from '../../principal.ts';
import type { AdapterRecord } from '../../store/adapter-store.ts';
import type { VersionRecord } from '../../store/version-store.ts';
import { resolveVersion, type VersionRef } from './resolve.ts';
import { nudge } from './verify.ts';

export interface ShownAdapter {
  readonly adapter: AdapterRecord;
  /** The version whose card is shown. */
  readonly shown: VersionRecord;
  readonly versions: readonly VersionRecord[];
  readonly aliases: Readonly<Record<string, number>>;
}

/**
 * An adapter with all its versions, and the version that the reference names: with `latest` the newest ready one, or
 * the newest where none is ready. Takes up verifications that wait.
 */
export async function showAdapter(ports: Ports, principal: Principal, ref: VersionRef): Promise<ShownAdapter> {
  const viewer = viewerOf(principal);
  const named =
    ref.kind === 'name' && ref.selector.kind === 'latest' ? null : await resolveVersion(ports, principal, ref);
  const place = named ?? (ref.kind === 'name' ? fullName(principal, ref.name, ref.tenant) : null);
  if (place === null) throw unknownAdapter();
  const [adapter, versions, aliases] = await Promise.all([
    ports.catalogue.adapters.find(viewer, place),
    ports.catalogue.versions.list(viewer, place),
    ports.catalogue.adapters.aliases(viewer, place),
  ]);
  const shown = named ?? versions.find(({ version }) => version === adapter?.latest) ?? versions.at(-1);
  if (adapter === null || shown === undefined) throw unknownAdapter();
  nudge(ports, versions);
  return { adapter, shown, versions, aliases };
}
