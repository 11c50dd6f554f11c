import type { TenantStore } from '../tenant-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';

export function tenantStore(db: Database): TenantStore {
  return {
    async create(tenant, now, entry) {
      const insert = 'INSERT INTO tenants (id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING';
      const [made] = await db.batch([db.prepare(insert).bind(tenant, now), logged(db, entry)]);
      return (made?.meta.changes ?? 0) > 0;
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
    async remove(tenant, { nameHash, at, actor }) {
      const of = (sql: string) => db.prepare(sql).bind(tenant);
      const [files, uploads, images, jobs, buried] = await db.batch<{ id: string; multipart: string }>([
        of('SELECT DISTINCT digest AS id FROM versions WHERE tenant = ?1'),
        of('SELECT id, multipart FROM uploads WHERE tenant = ?1'),
        of('SELECT id FROM images WHERE tenant = ?1'),
        of('SELECT id FROM jobs WHERE tenant = ?1'),
        db
          .prepare('INSERT INTO tombstones (name_hash, at, actor) SELECT ?, ?, ? FROM tenants WHERE id = ?')
          .bind(nameHash, at, actor, tenant),
        of('DELETE FROM aliases WHERE tenant = ?1'),
        of('DELETE FROM grants WHERE grantee = ?1'),
        of('DELETE FROM idempotency WHERE owner = ?1'),
        // Keys, links, adapters, versions, grants given, quotas, uploads, images and jobs go with it.
        of('DELETE FROM tenants WHERE id = ?1'),
        // The audit may go only once its tenant has.
        of('DELETE FROM audit WHERE tenant = ?1'),
        of(FORGET_IN_JOBS),
        of(FORGET_IN_AUDIT),
      ]);
      if ((buried?.meta.changes ?? 0) === 0) return null;
      return {
        files: (files?.results ?? []).map((row) => row.id),
        uploads: uploads?.results ?? [],
        images: (images?.results ?? []).map((row) => row.id),
        jobs: (jobs?.results ?? []).map((row) => row.id),
      };
    },
  };
}

// What others did with its adapters stays theirs, by digest: it says what made their label maps. The names go.
const FORGET_IN_JOBS = `UPDATE jobs SET adapter_tenant = '(deleted)', adapter_name = '(deleted)'
  WHERE adapter_tenant = ?1`;

// `tenant/adapter…` where others used what was its own, `…/grants/tenant` where they shared with it.
const USED = `substr(subject, 1, length(?1) + 1) = ?1 || '/'`;
const FORGET_IN_AUDIT = `UPDATE audit
  SET subject = iif(${USED}, '', substr(subject, 1, length(subject) - length(?1))) || '(deleted)'
  WHERE ${USED} OR substr(subject, -length(?1) - length('/grants/')) = '/grants/' || ?1`;
