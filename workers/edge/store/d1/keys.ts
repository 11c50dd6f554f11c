import { z } from 'zod';
import { scopeSchema } from '../../../../schemas/api.ts';
import type { KeyRecord, KeyStore } from '../catalogue.ts';
import type { Quota } from '../quota-store.ts';
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
    async create(tenant, key) {
      const insert = `INSERT INTO keys (tenant, id, hash, name, scopes, created_at, expires_at)
        SELECT id, ?, ?, ?, ?, ?, ? FROM tenants WHERE id = ?`;
      const { meta } = await db
        .prepare(insert)
        .bind(key.id, key.hash, key.name, JSON.stringify(key.scopes), key.createdAt, key.expiresAt, tenant)
        .run();
      return meta.changes > 0;
    },
    async list(tenant, { after, limit }) {
      const select = `SELECT ${COLUMNS} FROM keys WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`;
      const { results } = await db
        .prepare(select)
        .bind(tenant, after ?? '', limit)
        .all<KeyRow>();
      return results.map(toKey);
    },
    async revoke(tenant, id) {
      const { meta } = await db.prepare('DELETE FROM keys WHERE tenant = ? AND id = ?').bind(tenant, id).run();
      return meta.changes > 0;
    },
    async findByHash(hash) {
      // The quota comes along: every request needs both.
      const row = await db
        .prepare(`SELECT ${COLUMNS}, ${QUOTA_COLUMNS} FROM keys LEFT JOIN quotas USING (tenant) WHERE hash = ?`)
        .bind(hash)
        .first<KeyRow & QuotaRow>();
      return row === null ? null : { ...toKey(row), tenant: row.tenant, quota: quotaOf(row, defaults) };
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
