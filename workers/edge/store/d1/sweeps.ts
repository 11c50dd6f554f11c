import type { SweepStore } from '../sweep-store.ts';
import type { Database } from './database.ts';

export function sweepStore(db: Database): SweepStore {
  return {
    async withoutInput(jobs) {
      const { results } = await db
        .prepare(
          `SELECT value AS job FROM json_each(?) WHERE NOT EXISTS (
            SELECT 1 FROM jobs j WHERE j.id = value AND j.status IN ('queued', 'running'))`,
        )
        .bind(JSON.stringify(jobs))
        .all<{ job: string }>();
      return new Set(results.map((row) => row.job));
    },
    async withoutResult(places, now) {
      const { results } = await db
        .prepare(
          `SELECT key AS place FROM json_each(?) WHERE NOT EXISTS (
            SELECT 1 FROM jobs j WHERE j.id = value ->> 'job' AND j.attempt = value ->> 'attempt'
              AND j.status = 'succeeded' AND j.result_until > ?)`,
        )
        .bind(JSON.stringify(places), now)
        .all<{ place: number }>();
      return new Set(results.map((row) => row.place));
    },
    async withoutImage(ids) {
      const { results } = await db
        .prepare('SELECT value AS id FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM images m WHERE m.id = value)')
        .bind(JSON.stringify(ids))
        .all<{ id: string }>();
      return new Set(results.map((row) => row.id));
    },
    async forgetJobs(endedBefore, limit) {
      const { results } = await db
        .prepare('DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended_at <= ? LIMIT ?) RETURNING id')
        .bind(endedBefore, limit)
        .all();
      return results.length;
    },
    async forgetIdempotency(now, limit) {
      const { meta } = await db
        .prepare(
          `DELETE FROM idempotency WHERE (owner, key) IN (
            SELECT owner, key FROM idempotency WHERE expires_at <= ? LIMIT ?)`,
        )
        .bind(now, limit)
        .run();
      return meta.changes;
    },
    async cursor(prefix) {
      const row = await db
        .prepare('SELECT cursor FROM sweeps WHERE prefix = ?')
        .bind(prefix)
        .first<{ cursor: string }>();
      return row?.cursor;
    },
    async keepCursor(prefix, cursor) {
      const keep =
        cursor === undefined
          ? db.repeatable('DELETE FROM sweeps WHERE prefix = ?').bind(prefix)
          : db
              .repeatable('INSERT INTO sweeps VALUES (?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor')
              .bind(prefix, cursor);
      await keep.run();
    },
  };
}
