import type { ShownAdapter } from '../services/adapters/show.ts';
import type { AdapterRecord } from '../store/adapter-store.ts';
import type { VersionRecord } from '../store/version-store.ts';

export function showSummary({ tenant, name, description, latest, createdAt }: AdapterRecord) {
  return { adapter: `${tenant}/${name}`, description, latest, created_at: new Date(createdAt).toISOString() };
}

/** `latest` is shown among the aliases; it is computed, never set. */
export function showAdapterRecord({ adapter, shown, versions, aliases }: ShownAdapter) {
  const { version, digest, base, status, problems, card } = shown;
  return {
    ...showSummary(adapter),
    ...card,
    version,
    digest,
    base,
    status,
    problems,
    versions: versions.map(showVersion),
    aliases: adapter.latest === null ? aliases : { ...aliases, latest: adapter.latest },
  };
}

function showVersion({ version, digest, base, size, status, problems, createdAt }: VersionRecord) {
  return { version, digest, base, size, status, problems, created_at: new Date(createdAt).toISOString() };
}
