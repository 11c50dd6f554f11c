import type { FileStore } from '../catalogue.ts';
import type { Database } from './database.ts';

/**
 * A file is safe to take away when nothing points at it and nobody holds it. Both are asked in the statement that sets
 * the mark, and a version or base is made only under a hold on its file, so neither can come between.
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
      return held?.meta.changes === 1;
    },
    async release(hold) {
      await db.prepare('DELETE FROM file_holds WHERE id = ?').bind(hold).run();
    },
    async mark(digest, now) {
      const { meta } = await db
        .prepare(`UPDATE files SET deleting_at = ?1 WHERE digest = ?2 AND ${ABANDONED}`)
        .bind(now, digest, now - MARK_MS)
        .run();
      return meta.changes === 1;
    },
    async forget(digest) {
      await db.prepare('DELETE FROM files WHERE digest = ? AND deleting_at IS NOT NULL').bind(digest).run();
    },
    async abandoned(now, limit) {
      const { results } = await db
        .prepare(`SELECT digest FROM files WHERE ${ABANDONED} LIMIT ?2`)
        .bind(now, limit, now - MARK_MS)
        .all<{ digest: string }>();
      return results.map((row) => row.digest);
    },
  };
}

/** How long a mark keeps others from taking the same file away: far longer than it takes. */
const MARK_MS = 600_000;

// ?1 is now, ?3 the time before which a mark was left behind.
const ABANDONED = `(deleting_at IS NULL OR deleting_at <= ?3)
  AND NOT EXISTS (SELECT 1 FROM file_holds h WHERE h.digest = files.digest AND h.expires_at > ?1)
  AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.digest = files.digest)
  AND NOT EXISTS (SELECT 1 FROM bases b WHERE b.file = files.digest)`;
