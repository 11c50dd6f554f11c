import type { IdempotencyStore } from '../idempotency-store.ts';
import type { Database } from './database.ts';

interface IdempotencyRow {
  fingerprint: string;
  resource: string;
  lease_until: number;
}

export function idempotencyStore(db: Database): IdempotencyStore {
  return {
    async claim({ owner, key, fingerprint, resource, leaseUntil, now, expiresAt }) {
      const [, claimed, found] = await db.batch<IdempotencyRow>([
        db.prepare('DELETE FROM idempotency WHERE owner = ? AND key = ? AND expires_at <= ?').bind(owner, key, now),
        db
          .prepare(
            `INSERT INTO idempotency (owner, key, fingerprint, resource, lease_until, expires_at)
              VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
          )
          .bind(owner, key, fingerprint, resource, leaseUntil, expiresAt),
        db
          .prepare('SELECT fingerprint, resource, lease_until FROM idempotency WHERE owner = ? AND key = ?')
          .bind(owner, key),
      ]);
      const row = found?.results[0];
      if (row === undefined) throw new Error('an idempotency key that was just written is not there');
      const { lease_until, ...rest } = row;
      return { ...rest, leaseUntil: lease_until, mine: (claimed?.meta.changes ?? 0) > 0 };
    },
    async renew(owner, key, resource, leaseUntil) {
      await db
        .prepare('UPDATE idempotency SET lease_until = ? WHERE owner = ? AND key = ? AND resource = ?')
        .bind(leaseUntil, owner, key, resource)
        .run();
    },
    async takeOver(owner, key, now, leaseUntil) {
      const { meta } = await db
        .prepare('UPDATE idempotency SET lease_until = ? WHERE owner = ? AND key = ? AND lease_until <= ?')
        .bind(leaseUntil, owner, key, now)
        .run();
      return meta.changes > 0;
    },
    async release(owner, key, resource) {
      await db
        .prepare('DELETE FROM idempotency WHERE owner = ? AND key = ? AND resource = ?')
        .bind(owner, key, resource)
        .run();
    },
  };
}
