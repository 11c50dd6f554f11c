import type { AliasStore } from '../alias-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';

const ALIAS = 'tenant = ?1 AND adapter = ?2 AND alias = ?3';

interface Place {
  version: number;
}

export function aliasStore(db: Database): AliasStore {
  return {
    async set(tenant, alias, { name, version }, expected, entry) {
      const ready = `SELECT tenant, adapter, ?3, version FROM versions
        WHERE tenant = ?1 AND adapter = ?2 AND version = ?4 AND status = 'ready'`;
      const move =
        expected === null
          ? db
              .prepare(`INSERT INTO aliases (tenant, adapter, alias, version) ${ready} ON CONFLICT DO NOTHING`)
              .bind(tenant, name, alias, version)
          : db
              .prepare(`UPDATE aliases SET version = ?4 WHERE ${ALIAS} AND version = ?5 AND EXISTS (${ready})`)
              .bind(tenant, name, alias, version, expected);
      const [moved, , found, at] = await db.batch<Place & { status: string }>([
        move,
        logged(db, entry),
        db
          .prepare('SELECT version, status FROM versions WHERE tenant = ?1 AND adapter = ?2 AND version = ?3')
          .bind(tenant, name, version),
        db.prepare(`SELECT version FROM aliases WHERE ${ALIAS}`).bind(tenant, name, alias),
      ]);
      const [target] = found?.results ?? [];
      if ((moved?.meta.changes ?? 0) > 0) return { kind: 'moved' };
      if (target === undefined) return { kind: 'no version' };
      if (target.status !== 'ready') return { kind: 'not ready' };
      return { kind: 'conflict', at: at?.results[0]?.version ?? null };
    },

    async remove(tenant, { name, alias }, expected, entry) {
      const there = expected === undefined ? '' : ' AND version = ?4';
      const binds = [tenant, name, alias, ...(expected === undefined ? [] : [expected])];
      const [before, removed] = await db.batch<Place>([
        db.prepare(`SELECT version FROM aliases WHERE ${ALIAS}`).bind(tenant, name, alias),
        db.prepare(`DELETE FROM aliases WHERE ${ALIAS}${there}`).bind(...binds),
        logged(db, entry),
      ]);
      const [at] = before?.results ?? [];
      if (at === undefined) return { kind: 'no alias' };
      return (removed?.meta.changes ?? 0) > 0 ? { kind: 'removed' } : { kind: 'conflict', at: at.version };
    },
  };
}
