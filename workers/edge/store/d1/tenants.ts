import type { TenantStore } from '../catalogue.ts';
import type { Database } from './database.ts';

export function tenantStore(db: Database): TenantStore {
  return {
    async create(tenant, now) {
      const insert = 'INSERT INTO tenants (id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING';
      return (await db.prepare(insert).bind(tenant, now).run()).meta.changes > 0;
    },
    async exists(tenant) {
      return (await db.prepare('SELECT 1 FROM tenants WHERE id = ?').bind(tenant).first()) !== null;
    },
    async find(tenant) {
      const row = await db
        .prepare('SELECT created_at FROM tenants WHERE id = ?')
        .bind(tenant)
        .first<{ created_at: number }>();
      return row === null ? null : { id: tenant, createdAt: row.created_at };
    },
    async list({ after, limit }) {
      const select = 'SELECT id, created_at FROM tenants WHERE id > ? ORDER BY id LIMIT ?';
      const { results } = await db
        .prepare(select)
        .bind(after ?? '', limit)
        .all<{ id: string; created_at: number }>();
      return results.map((row) => ({ id: row.id, createdAt: row.created_at }));
    },
    async remove(tenant) {
      const of = (sql: string) => db.prepare(sql).bind(tenant);
      const [files, , , removed] = await db.batch<{ digest: string }>([
        of('SELECT DISTINCT digest FROM versions WHERE tenant = ?'),
        of('DELETE FROM aliases WHERE tenant = ?'),
        of('DELETE FROM grants WHERE grantee = ?'),
        of('DELETE FROM tenants WHERE id = ?'),
      ]);
      return removed?.meta.changes === 0 ? null : (files?.results ?? []).map((row) => row.digest);
    },
  };
}
