import type { GrantStore } from '../grant-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';

/** An adapter is there while it has versions. */
const THERE = 'SELECT 1 FROM versions WHERE tenant = ?1 AND adapter = ?2 LIMIT 1';

export function grantStore(db: Database): GrantStore {
  return {
    async give(tenant, name, grantee, entry) {
      const [there] = await db.batch([
        db.prepare(THERE).bind(tenant, name),
        db
          .prepare(
            `INSERT INTO grants (tenant, adapter, grantee) SELECT ?1, ?2, ?3 WHERE EXISTS (${THERE}) ON CONFLICT DO NOTHING`,
          )
          .bind(tenant, name, grantee),
        logged(db, entry),
      ]);
      return there?.results.length === 1;
    },
    async withdraw(tenant, name, grantee, entry) {
      const [gone] = await db.batch([
        db.prepare('DELETE FROM grants WHERE tenant = ? AND adapter = ? AND grantee = ?').bind(tenant, name, grantee),
        logged(db, entry),
      ]);
      return (gone?.meta.changes ?? 0) > 0;
    },
    async list(tenant, name, { after, limit }) {
      const [there, found] = await db.batch<{ grantee: string }>([
        db.prepare(THERE).bind(tenant, name),
        db
          .prepare(
            'SELECT grantee FROM grants WHERE tenant = ? AND adapter = ? AND grantee > ? ORDER BY grantee LIMIT ?',
          )
          .bind(tenant, name, after ?? '', limit),
      ]);
      return there?.results.length === 1 ? (found?.results ?? []).map((row) => row.grantee) : null;
    },
  };
}
