import type { AdapterRecord, AdapterStore, ModelRecord } from '../catalogue.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import type { Sharing } from './visible.ts';

interface AdapterRow {
  tenant: string;
  name: string;
  description: string;
  latest: number | null;
  created_at: number;
}

// The description of the newest ready version, or of the newest where none is ready.
const SHOWN = `SELECT a.tenant, a.name, a.created_at, json_extract(v.card, '$.description') AS description,
    iif(v.status = 'ready', v.version, NULL) AS latest
  FROM adapters a JOIN versions v ON v.tenant = a.tenant AND v.adapter = a.name AND v.version = (
    SELECT n.version FROM versions n WHERE n.tenant = a.tenant AND n.adapter = a.name
    ORDER BY n.status = 'ready' DESC, n.version DESC LIMIT 1)`;

export function adapterStore(db: Database, { mayUse, visibleAdapters }: Sharing): AdapterStore {
  return {
    async list(viewer, { after, limit }) {
      const visible = visibleAdapters(viewer);
      const select = `${SHOWN} JOIN (${visible.sql}) s ON s.tenant = a.tenant AND s.name = a.name
        WHERE (a.tenant, a.name) > (?, ?) ORDER BY a.tenant, a.name LIMIT ?`;
      const { results } = await db
        .prepare(select)
        .bind(...visible.binds, after?.tenant ?? '', after?.name ?? '', limit)
        .all<AdapterRow>();
      return results.map(toAdapter);
    },
    async find(viewer, { tenant, name }) {
      const allowed = mayUse(viewer, 'a', 'name');
      const row = await db
        .prepare(`${SHOWN} WHERE a.tenant = ? AND a.name = ? AND ${allowed.sql}`)
        .bind(tenant, name, ...allowed.binds)
        .first<AdapterRow>();
      return row === null ? null : toAdapter(row);
    },
    async aliases(viewer, { tenant, name }) {
      const allowed = mayUse(viewer, 'l', 'adapter');
      const { results } = await db
        .prepare(`SELECT l.alias, l.version FROM aliases l WHERE l.tenant = ? AND l.adapter = ? AND ${allowed.sql}`)
        .bind(tenant, name, ...allowed.binds)
        .all<{ alias: string; version: number }>();
      return Object.fromEntries(results.map((row) => [row.alias, row.version]));
    },
    async models(viewer) {
      const visible = visibleAdapters(viewer);
      const select = `SELECT v.tenant, v.adapter AS name, v.digest, v.base, max(v.version)
        FROM (${visible.sql}) s JOIN versions v ON v.tenant = s.tenant AND v.adapter = s.name
        WHERE v.status = 'ready' GROUP BY v.tenant, v.adapter ORDER BY v.tenant, v.adapter`;
      const { results } = await db
        .prepare(select)
        .bind(...visible.binds)
        .all<ModelRecord>();
      return results.map(({ tenant, name, digest, base }) => ({ tenant, name, digest, base }));
    },
    async remove(tenant, name, entry) {
      const unaliased = 'NOT EXISTS (SELECT 1 FROM aliases l WHERE l.tenant = ?1 AND l.adapter = ?2)';
      const of = (sql: string) => db.prepare(sql).bind(tenant, name);
      const [files, used] = await db.batch<{ digest: string }>([
        of(`SELECT DISTINCT digest FROM versions WHERE tenant = ?1 AND adapter = ?2`),
        of('SELECT 1 FROM aliases WHERE tenant = ?1 AND adapter = ?2 LIMIT 1'),
        of(`DELETE FROM grants WHERE tenant = ?1 AND adapter = ?2 AND ${unaliased}`),
        of(`DELETE FROM versions WHERE tenant = ?1 AND adapter = ?2 AND ${unaliased}`),
        logged(db, entry),
      ]);
      if ((used?.results.length ?? 0) > 0) return null;
      return (files?.results ?? []).map((row) => row.digest);
    },
  };
}

function toAdapter(row: AdapterRow): AdapterRecord {
  const { tenant, name, description, latest } = row;
  return { tenant, name, description, latest, createdAt: row.created_at };
}
