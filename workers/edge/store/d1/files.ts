import type { FileStore } from '../file-store.ts';
import type { Database } from './database.ts';

/**
 * A file is safe to take away when nothing points at it and nobody holds it. Both are asked in the statement that sets
 * the mark, and a version or base is made only under a hold on its file, so neither can come between. Since when nothing
 * points at it is kept by the triggers of the tables.
 */
export function fileStore(db: Database): FileStore {
  return {
    async hold(digest, size, { id, now, until }) {
      const [, held] = await db.batch([
        db
          .prepare('INSERT INTO files (digest, size, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
          .bind(digest, size, now),
        db
          .prepare(
            `INSERT INTO file_holds (id, digest, expires_at)
              SELECT ?, digest, ? FROM files WHERE digest = ? AND deleting_at IS NULL`,
          )
          .bind(id, until, digest),
      ]);
      return (held?.meta.changes ?? 0) > 0;
    },
    async release(hold) {
      await db.repeatable('DELETE FROM file_holds WHERE id = ?').bind(hold).run();
    },
    async mark(digest, id, { now, unusedBefore }) {
      const { meta } = await db
        .repeatable(`UPDATE files SET deleting = ?5, deleting_at = ?1 WHERE digest = ?4 AND ${COLLECTABLE}`)
        .bind(now, unusedBefore, now - MARK_MS, digest, id)
        .run();
      return meta.changes > 0;
    },
    async forget(digest, id) {
      await db.repeatable('DELETE FROM files WHERE digest = ? AND deleting = ?').bind(digest, id).run();
    },
    async collectable({ now, unusedBefore }, limit) {
      const { results } = await db
        .prepare(`SELECT digest FROM files WHERE ${COLLECTABLE} ORDER BY unused_since LIMIT ?4`)
        .bind(now, unusedBefore, now - MARK_MS, limit, '')
        .all<{ digest: string }>();
      return results.map((row) => row.digest);
    },
    async dropHolds(now, limit) {
      const { meta } = await db
        .prepare('DELETE FROM file_holds WHERE id IN (SELECT id FROM file_holds WHERE expires_at <= ? LIMIT ?)')
        .bind(now, limit)
        .run();
      return meta.changes;
    },
  };
}

/**
 * How long a mark keeps others from taking the same file away. Longer than a Worker's cron or queue turn may last (15
 * minutes): whoever set it and went silent can no longer delete what was put after.
 */
const MARK_MS = 1_200_000;

// ?1 is now, ?2 the time since which nothing may have pointed at it, ?3 the time before which a mark was left behind, ?5 whose
// mark is no hindrance.
const COLLECTABLE = `unused_since <= ?2 AND (deleting_at IS NULL OR deleting_at <= ?3 OR deleting = ?5)
  AND NOT EXISTS (SELECT 1 FROM file_holds h WHERE h.digest = files.digest AND h.expires_at > ?1)
  AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.digest = files.digest)
  AND NOT EXISTS (SELECT 1 FROM bases b WHERE b.file = files.digest)`;
