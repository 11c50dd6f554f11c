import type { MultipartPlace, PartRecord } from '../multipart-store.ts';
import type { UploadRecord, UploadStore } from '../upload-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { bytesFit } from './usage.ts';

interface UploadRow {
  id: string;
  tenant: string | null;
  size: number;
  digest: string;
  multipart: string;
  completed_at: number | null;
  created_at: number;
  expires_at: number;
}

const SELECT = `SELECT id, tenant, size, digest, multipart, completed_at, created_at, expires_at FROM uploads`;

const UNREAD = `NOT EXISTS (SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job
  WHERE i.upload = uploads.id AND j.status IN ('queued', 'running'))`;

export function uploadStore(db: Database): UploadStore {
  return {
    async create({ id, tenant, key, size, digest, multipart, createdAt, expiresAt }, allowedBytes, entry) {
      const room = tenant === null ? null : bytesFit('t.id', size, allowedBytes, createdAt);
      const [made] = await db.batch([
        db
          .prepare(
            `INSERT INTO uploads (id, tenant, key, size, digest, multipart, created_at, expires_at)
              SELECT ?, ?, ?, ?, ?, ?, ?, ? ${room === null ? '' : `FROM tenants t WHERE t.id = ? AND ${room.sql}`}
              ON CONFLICT DO NOTHING`,
          )
          .bind(
            id,
            tenant,
            key,
            size,
            digest,
            multipart,
            createdAt,
            expiresAt,
            ...(room === null ? [] : [tenant, ...room.binds]),
          ),
        logged(db, entry),
      ]);
      return (made?.meta.changes ?? 0) > 0;
    },
    async find(owner, id, now = 0) {
      const row = await db
        .prepare(`${SELECT} WHERE id = ? AND tenant IS ? AND expires_at > ?`)
        .bind(id, owner, now)
        .first<UploadRow>();
      return row === null ? null : toUpload(row);
    },
    async findSigned(id, now) {
      const standing = `(tenant IS NULL OR EXISTS (SELECT 1 FROM keys k
        WHERE k.tenant = uploads.tenant AND k.id = uploads.key AND (k.expires_at IS NULL OR k.expires_at > ?2)))`;
      const row = await db
        .prepare(`${SELECT} WHERE id = ?1 AND expires_at > ?2 AND ${standing}`)
        .bind(id, now)
        .first<UploadRow>();
      return row === null ? null : toUpload(row);
    },
    async parts(id) {
      const { results } = await db
        .prepare('SELECT part, etag FROM upload_parts WHERE upload = ? ORDER BY part')
        .bind(id)
        .all<PartRecord>();
      return results;
    },
    async putPart(id, { part, etag }) {
      const { meta } = await db
        .repeatable(
          `INSERT INTO upload_parts (upload, part, etag)
            SELECT id, ?, ? FROM uploads WHERE id = ? AND completed_at IS NULL
            ON CONFLICT (upload, part) DO UPDATE SET etag = excluded.etag`,
        )
        .bind(part, etag, id)
        .run();
      return meta.changes > 0;
    },
    async forgetParts(id) {
      await db.repeatable('DELETE FROM upload_parts WHERE upload = ?').bind(id).run();
    },
    async complete(id, now) {
      const { meta } = await db
        .repeatable('UPDATE uploads SET completed_at = coalesce(completed_at, ?) WHERE id = ?')
        .bind(now, id)
        .run();
      return meta.changes > 0;
    },
    async remove(owner, id, entry) {
      const [there, removed] = await db.batch([
        db.prepare('SELECT 1 FROM uploads WHERE id = ? AND tenant IS ?').bind(id, owner),
        db.prepare(`DELETE FROM uploads WHERE id = ? AND tenant IS ? AND ${UNREAD}`).bind(id, owner),
        logged(db, entry),
      ]);
      if (there?.results.length === 0) return null;
      return (removed?.meta.changes ?? 0) > 0 ? 'removed' : 'in use';
    },
    async expire(now, limit) {
      const { results } = await db
        .prepare(
          `DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE expires_at <= ? AND ${UNREAD} LIMIT ?)
            RETURNING id`,
        )
        .bind(now, limit)
        .all();
      return results.length;
    },
    async remains(limit) {
      const { results } = await db
        .prepare('SELECT upload AS id, multipart FROM upload_remains LIMIT ?')
        .bind(limit)
        .all<MultipartPlace>();
      return results;
    },
    async forgetRemains(id) {
      await db.repeatable('DELETE FROM upload_remains WHERE upload = ?').bind(id).run();
    },
  };
}

function toUpload({ completed_at, created_at, expires_at, ...row }: UploadRow): UploadRecord {
  return { ...row, completedAt: completed_at, createdAt: created_at, expiresAt: expires_at };
}
