import type { ImageRecord, ImageStore } from '../image-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { bytesFit } from './usage.ts';

interface ImageRow {
  id: string;
  tenant: string | null;
  name: string | null;
  extension: string;
  size: number;
  stored_bytes: number;
  kept_ms: number;
  created_at: number;
  used_at: number;
  expires_at: number;
}

const COLUMNS = 'id, tenant, name, extension, size, stored_bytes, kept_ms, created_at, used_at, expires_at';

export function imageStore(db: Database): ImageStore {
  return {
    async create(image, allowedBytes, entry) {
      const { id, tenant, name, createdAt } = image;
      const room = tenant === null ? null : bytesFit('t.id', image.storedBytes, allowedBytes, createdAt);
      const same = 'tenant IS ? AND name = ? AND id <> ?';
      const made = 'EXISTS (SELECT 1 FROM images i WHERE i.id = ?)';
      const [inserted, , earlier] = await db.batch<{ id: string }>([
        db
          .prepare(
            `INSERT INTO images (${COLUMNS})
              SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? ${room === null ? '' : `FROM tenants t WHERE t.id = ? AND ${room.sql}`}`,
          )
          .bind(...valuesOf(image), ...(room === null ? [] : [tenant, ...room.binds])),
        logged(db, entry),
        db.prepare(`SELECT id FROM images WHERE ${same} AND ${made}`).bind(tenant, name, id, id),
        db.prepare(`DELETE FROM images WHERE ${same} AND ${made}`).bind(tenant, name, id, id),
      ]);
      if ((inserted?.meta.changes ?? 0) === 0) return null;
      return (earlier?.results ?? []).map((row) => row.id);
    },
    async find(owner, place, now) {
      const [which, value] = 'id' in place ? ['id = ? AND name IS NULL', place.id] : ['name = ?', place.name];
      const row = await db
        .prepare(`SELECT ${COLUMNS} FROM images WHERE ${which} AND tenant IS ? AND expires_at > ?`)
        .bind(value, owner, now)
        .first<ImageRow>();
      return row === null ? null : toImage(row);
    },
    async use(id, now) {
      await db
        .repeatable('UPDATE images SET used_at = ?1, expires_at = ?1 + kept_ms WHERE id = ?2')
        .bind(now, id)
        .run();
    },
    async count(owner, now) {
      const row = await db
        .prepare('SELECT count(*) AS count FROM images WHERE tenant IS ? AND name IS NOT NULL AND expires_at > ?')
        .bind(owner, now)
        .first<{ count: number }>();
      return row?.count ?? 0;
    },
    async remove(owner, id, entry) {
      const [gone] = await db.batch([
        db.prepare('DELETE FROM images WHERE id = ? AND tenant IS ?').bind(id, owner),
        logged(db, entry),
      ]);
      return (gone?.meta.changes ?? 0) > 0;
    },
    async expire(now, limit) {
      const { results } = await db
        .prepare('DELETE FROM images WHERE id IN (SELECT id FROM images WHERE expires_at <= ? LIMIT ?) RETURNING id')
        .bind(now, limit)
        .all<{ id: string }>();
      return results.map((row) => row.id);
    },
  };
}

/** In the order of `COLUMNS`. */
function valuesOf(image: ImageRecord): (string | number | null)[] {
  const { id, tenant, name, extension, size, storedBytes, keptMs, createdAt, usedAt, expiresAt } = image;
  return [id, tenant, name, extension, size, storedBytes, keptMs, createdAt, usedAt, expiresAt];
}

function toImage({ stored_bytes, kept_ms, created_at, used_at, expires_at, ...row }: ImageRow): ImageRecord {
  return {
    ...row,
    storedBytes: stored_bytes,
    keptMs: kept_ms,
    createdAt: created_at,
    usedAt: used_at,
    expiresAt: expires_at,
  };
}
