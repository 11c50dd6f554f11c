import type { AdapterRecord, AdapterStore, ModelRecord } from '../adapter-store.ts';
import type { Viewer } from '../words.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { parseCard } from './json.ts';
import type { Sharing } from './visible.ts';

interface AdapterRow {
  tenant: string;
  name: string;
  description: string;
  latest: number | null;
  created_at: number;
}

const NEWEST_READY = `(SELECT n.version FROM versions n
  WHERE n.tenant = a.tenant AND n.adapter = a.name AND n.status = 'ready' ORDER BY n.version DESC LIMIT 1)`;
const NEWEST = '(SELECT max(n.version) FROM versions n WHERE n.tenant = a.tenant AND n.adapter = a.name)';

// The description of the newest ready version, or of the newest where none is ready.
const SHOWN = `a.tenant, a.name, a.created_at, json_extract(v.card, '$.description') AS description,
  iif(v.status = 'ready', v.version, NULL) AS latest`;
const WITH_SHOWN = `JOIN versions v
  ON v.tenant = a.tenant AND v.adapter = a.name AND v.version = coalesce(${NEWEST_READY}, ${NEWEST})`;

export function adapterStore(db: Database, { mayUse, visibleAdapters }: Sharing): AdapterStore {
  const modelsOf = (viewer: Viewer, more: string) => {
    const visible = visibleAdapters(viewer);
    const select = `SELECT a.tenant, a.name, v.digest, v.base${more} FROM (${visible.sql}) a
      CROSS JOIN versions v ON v.tenant = a.tenant AND v.adapter = a.name AND v.version = ${NEWEST_READY}
      ORDER BY a.tenant, a.name`;
    return db.prepare(select).bind(...visible.binds);
  };

  return {
    async list(viewer, { after, limit }) {
      const visible = visibleAdapters(viewer);
      // A cross join keeps the order that the first table comes in.
      const select = `SELECT ${SHOWN} FROM (${visible.sql}) s
        CROSS JOIN adapters a ON a.tenant = s.tenant AND a.name = s.name ${WITH_SHOWN}
        WHERE (s.tenant, s.name) > (?, ?) ORDER BY s.tenant, s.name LIMIT ?`;
      const { results } = await db
        .prepare(select)
        .bind(...visible.binds, after?.tenant ?? '', after?.name ?? '', limit)
        .all<AdapterRow>();
      return results.map(toAdapter);
    },
    async find(viewer, { tenant, name }) {
      const allowed = mayUse(viewer, 'a', 'name');
      const row = await db
        .prepare(`SELECT ${SHOWN} FROM adapters a ${WITH_SHOWN} WHERE a.tenant = ? AND a.name = ? AND ${allowed.sql}`)
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
      const { results } = await modelsOf(viewer, '').all<ModelRecord>();
      return results;
    },
    async modelCards(viewer) {
      const { results } = await modelsOf(viewer, ', v.version, v.card').all<
        ModelRecord & { version: number; card: string }
      >();
      return results.map(({ tenant, name, version, card }) => ({ tenant, name, version, card: parseCard(card) }));
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
