import { architectureSchema } from '../../../../schemas/architecture.ts';
import type { BaseRecord, BaseStore } from '../base-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { parseCard } from './json.ts';

interface BaseRow {
  digest: string;
  file: string;
  name: string;
  size: number;
  architecture: string;
  card: string;
  created_at: number;
}

const SELECT = `SELECT b.digest, b.file, b.name, f.size, b.architecture, b.card, b.created_at
  FROM bases b JOIN files f ON f.digest = b.file`;

export function baseStore(db: Database): BaseStore {
  return {
    async list({ after, limit }) {
      const { results } = await db
        .prepare(`${SELECT} WHERE b.digest > ? ORDER BY b.digest LIMIT ?`)
        .bind(after ?? '', limit)
        .all<BaseRow>();
      return results.map(toBase);
    },
    async find(digest) {
      const row = await db.prepare(`${SELECT} WHERE b.digest = ?`).bind(digest).first<BaseRow>();
      return row === null ? null : toBase(row);
    },
    async first() {
      const row = await db.prepare(`${SELECT} ORDER BY b.created_at, b.digest LIMIT 1`).first<BaseRow>();
      return row === null ? null : toBase(row);
    },
    async architectures() {
      const { results } = await db
        .prepare('SELECT digest, architecture FROM bases')
        .all<Pick<BaseRow, 'digest' | 'architecture'>>();
      return new Map(results.map((row) => [row.digest, architectureSchema.parse(JSON.parse(row.architecture))]));
    },
    async register(base, hold, entry) {
      const [made] = await db.batch([
        db
          .prepare(
            `INSERT INTO bases (digest, file, name, architecture, card, created_at)
              SELECT ?, digest, ?, ?, ?, ? FROM file_holds WHERE id = ? AND digest = ? AND expires_at > ? ON CONFLICT DO NOTHING`,
          )
          .bind(
            base.digest,
            base.name,
            JSON.stringify(base.architecture),
            JSON.stringify(base.card),
            base.createdAt,
            hold,
            base.file,
            base.createdAt,
          ),
        logged(db, entry),
        db.prepare('DELETE FROM file_holds WHERE id = ?').bind(hold),
      ]);
      return (made?.meta.changes ?? 0) > 0;
    },
  };
}

function toBase(row: BaseRow): BaseRecord {
  const { digest, file, name, size } = row;
  const architecture = architectureSchema.parse(JSON.parse(row.architecture));
  return { digest, file, name, size, architecture, card: parseCard(row.card), createdAt: row.created_at };
}
