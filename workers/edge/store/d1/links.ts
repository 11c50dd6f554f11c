import type { LinkRecord, LinkStore } from '../link-store.ts';
import type { Quota } from '../quota-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { QUOTA_COLUMNS, type QuotaRow, quotaOf } from './quotas.ts';

interface LinkRow {
  tenant: string;
  id: string;
  name: string;
  created_at: number;
  expires_at: number;
}

const COLUMNS = 'tenant, id, name, created_at, expires_at';

export function linkStore(db: Database, defaults: Quota): LinkStore {
  return {
    async create(tenant, { id, hash, name, createdAt, expiresAt }, entry) {
      const insert = `INSERT INTO links (tenant, id, hash, name, created_at, expires_at)
        SELECT id, ?, ?, ?, ?, ? FROM tenants WHERE id = ?`;
      const [made] = await db.batch([
        db.prepare(insert).bind(id, hash, name, createdAt, expiresAt, tenant),
        logged(db, entry),
      ]);
      return (made?.meta.changes ?? 0) > 0;
    },
    async list(tenant, { after, limit }) {
      const select = `SELECT ${COLUMNS} FROM links WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`;
      const { results } = await db
        .prepare(select)
        .bind(tenant, after ?? '', limit)
        .all<LinkRow>();
      return results.map(toLink);
    },
    async revoke(tenant, id, entry) {
      const [gone] = await db.batch([
        db.prepare('DELETE FROM links WHERE tenant = ? AND id = ?').bind(tenant, id),
        logged(db, entry),
      ]);
      return (gone?.meta.changes ?? 0) > 0;
    },
    async findByHash(hashes) {
      const row = await db
        .prepare(
          `SELECT ${COLUMNS}, hash, ${QUOTA_COLUMNS} FROM links LEFT JOIN quotas USING (tenant)
            WHERE hash IN (${hashes.map(() => '?').join(', ')})`,
        )
        .bind(...hashes)
        .first<LinkRow & QuotaRow & { hash: string }>();
      if (row === null) return null;
      return { ...toLink(row), tenant: row.tenant, hash: row.hash, quota: quotaOf(row, defaults) };
    },
    async rehash(from, to) {
      await db.prepare('UPDATE links SET hash = ? WHERE hash = ?').bind(to, from).run();
    },
  };
}

function toLink({ id, name, created_at, expires_at }: LinkRow): LinkRecord {
  return { id, name, createdAt: created_at, expiresAt: expires_at };
}
