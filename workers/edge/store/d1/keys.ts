import { z } from 'zod';
import { scopeSchema } from '../../../../schemas/api.ts';
import type { KeyRecord, KeyStore } from '../key-store.ts';
import type { Quota } from '../quota-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { QUOTA_COLUMNS, type QuotaRow, quotaOf } from './quotas.ts';

interface KeyRow {
  tenant: string;
  id: string;
  name: string;
  scopes: string;
  created_at: number;
  expires_at: number | null;
}

const COLUMNS = 'tenant, id, name, scopes, created_at, expires_at';
const scopesSchema = z.array(scopeSchema);

export function keyStore(db: Database, defaults: Quota): KeyStore {
  return {
    async create(tenant, key, entry) {
      const insert = `INSERT INTO keys (tenant, id, hash, name, scopes, created_at, expires_at)
        SELECT id, ?, ?, ?, ?, ?, ? FROM tenants WHERE id = ?`;
      const [made] = await db.batch([
        db
          .prepare(insert)
          .bind(key.id, key.hash, key.name, JSON.stringify(key.scopes), key.createdAt, key.expiresAt, tenant),
        logged(db, entry),
      ]);
      return (made?.meta.changes ?? 0) > 0;
    },
    async list(tenant, { after, limit }) {
      const select = `SELECT ${COLUMNS} FROM keys WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`;
      const { results } = await db
        .prepare(select)
        .bind(tenant, after ?? '', limit)
        .all<KeyRow>();
      return results.map(toKey);
    },
    async find(tenant, id) {
      const select = `SELECT ${COLUMNS} FROM keys WHERE tenant = ? AND id = ?`;
      const row = await db.prepare(select).bind(tenant, id).first<KeyRow>();
      return row === null ? null : toKey(row);
    },
    async rotate(tenant, id, into, entry) {
      const ours = 'tenant = ?1 AND id = ?2 AND successor IS NULL';
      const [, , , made] = await db.batch<KeyRow>([
        db
          .prepare(
            `INSERT INTO keys (tenant, id, hash, name, scopes, created_at, expires_at)
              SELECT tenant, ?3, ?4, name, scopes, ?5, expires_at FROM keys
              WHERE ${ours} AND (expires_at IS NULL OR expires_at > ?5)`,
          )
          .bind(tenant, id, into.id, into.hash, into.now),
        logged(db, entry),
        db
          .prepare(
            `UPDATE keys SET successor = ?3, expires_at = min(coalesce(expires_at, ?4), ?4)
              WHERE ${ours} AND EXISTS (SELECT 1 FROM keys k WHERE k.tenant = ?1 AND k.id = ?3)`,
          )
          .bind(tenant, id, into.id, into.until),
        db.prepare(`SELECT ${COLUMNS} FROM keys WHERE tenant = ? AND id = ?`).bind(tenant, into.id),
      ]);
      const [row] = made?.results ?? [];
      return row === undefined ? null : toKey(row);
    },
    async revoke(tenant, id, entry) {
      const [gone] = await db.batch([
        db.prepare('DELETE FROM keys WHERE tenant = ? AND id = ?').bind(tenant, id),
        logged(db, entry),
      ]);
      return (gone?.meta.changes ?? 0) > 0;
    },
    async findByHash(hashes) {
      const row = await db
        .prepare(
          `SELECT ${COLUMNS}, hash, ${QUOTA_COLUMNS} FROM keys LEFT JOIN quotas USING (tenant)
            WHERE hash IN (${hashes.map(() => '?').join(', ')})`,
        )
        .bind(...hashes)
        .first<KeyRow & QuotaRow & { hash: string }>();
      return row === null ? null : { ...toKey(row), tenant: row.tenant, hash: row.hash, quota: quotaOf(row, defaults) };
    },
    async rehash(from, to) {
      await db.prepare('UPDATE keys SET hash = ? WHERE hash = ?').bind(to, from).run();
    },
  };
}

function toKey(row: KeyRow): KeyRecord {
  return {
    id: row.id,
    name: row.name,
    scopes: scopesSchema.parse(JSON.parse(row.scopes)),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
