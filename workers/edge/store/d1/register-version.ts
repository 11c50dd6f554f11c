import type { VersionStatus } from '../../../../schemas/api.ts';
import type { VersionStore } from '../version-store.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { bytesFit, storedBytes, storesFile } from './usage.ts';
import type { Clause } from './visible.ts';

interface Row {
  used: number;
  version: number;
  status: VersionStatus;
}

/**
 * Everything that has to be so for a file to become a version is asked in the statements that make it one: the file is
 * held, the key that sent it still there, and there is room for it.
 */
export function registerVersion(db: Database): VersionStore['register'] {
  const statement = (...parts: (string | Clause)[]) => {
    const clauses = parts.map((part) => (typeof part === 'string' ? { sql: part, binds: [] } : part));
    return db.prepare(clauses.map(({ sql }) => sql).join(' ')).bind(...clauses.flatMap(({ binds }) => binds));
  };

  return async (tenant, { name, digest, size, base, card }, { hold, key, allowedBytes, now }, entry) => {
    const place = where('tenant = ? AND adapter = ?', tenant, name);
    const bytes = where('tenant = ? AND adapter = ? AND digest = ?', tenant, name, digest);
    const held = 'EXISTS (SELECT 1 FROM file_holds WHERE id = ? AND digest = ? AND expires_at > ?)';
    const keyThere = '(? IS NULL OR EXISTS (SELECT 1 FROM keys WHERE tenant = ? AND id = ?))';
    const under = where(`${held} AND ${keyThere}`, hold, digest, now, key, tenant, key);
    // A file that the tenant stores already costs nothing more.
    const fits = (of: string): Clause => {
      const [stored, room] = [storesFile(of, digest), bytesFit(of, size, allowedBytes, now)];
      return where(`(${stored.sql} OR ${room.sql})`, ...stored.binds, ...room.binds);
    };
    const numbered: Clause = {
      sql: `(SELECT tenant || '/' || adapter || '@' || version FROM versions WHERE ${bytes.sql})`,
      binds: bytes.binds,
    };
    const used = storedBytes('t.id', now);

    const results = await db.batch<Row>([
      statement('SELECT', used, 'AS used FROM tenants t WHERE', where('t.id = ?', tenant), 'AND', under),
      // Whoever said first that the file is coming may have lied about its size.
      statement(where('UPDATE files SET size = ? WHERE digest = ?', size, digest), 'AND', under),
      statement(
        where(
          'INSERT INTO adapters (tenant, name, created_at) SELECT id, ?, ? FROM tenants WHERE id = ?',
          name,
          now,
          tenant,
        ),
        'AND',
        under,
        'AND',
        fits('tenants.id'),
        'ON CONFLICT DO NOTHING',
      ),
      statement(
        "UPDATE versions SET status = 'verifying', problems = '[]', lease = NULL, lease_until = 0 WHERE",
        bytes,
        "AND status = 'rejected' AND",
        under,
      ),
      logged(db, entry, numbered),
      statement(
        'INSERT INTO versions (tenant, adapter, version, digest, base, card, status, created_at)',
        where("SELECT tenant, name, next_version, ?, ?, ?, 'verifying', ?", digest, base, JSON.stringify(card), now),
        where('FROM adapters WHERE tenant = ? AND name = ?', tenant, name),
        'AND',
        under,
        'AND',
        fits('adapters.tenant'),
        'ON CONFLICT DO NOTHING',
      ),
      logged(db, entry, numbered),
      statement(
        'UPDATE adapters SET next_version = max(next_version, 1 + (SELECT coalesce(max(version), 0) FROM versions WHERE',
        place,
        '))',
        where('WHERE tenant = ? AND name = ?', tenant, name),
      ),
      statement('SELECT version, status FROM versions WHERE', bytes, 'AND', under),
      statement(where('DELETE FROM file_holds WHERE id = ?', hold)),
    ]);
    const [before, , , , , made, , , found] = results;
    const row = found?.results[0];
    if (row !== undefined) return { version: row.version, status: row.status, created: (made?.meta.changes ?? 0) > 0 };
    const usedBytes = before?.results[0]?.used;
    return usedBytes === undefined ? null : { usedBytes };
  };
}

function where(sql: string, ...binds: (string | number | null)[]): Clause {
  return { sql, binds };
}
