import type { VersionStatus } from '../../../../schemas/api.ts';
import type { Selector } from '../../../../schemas/names.ts';
import type { VersionRecord, VersionStore } from '../version-store.ts';
import type { AdapterName, VersionPlace } from '../words.ts';
import { logged } from './audit.ts';
import type { Database } from './database.ts';
import { parseCard, problemsSchema } from './json.ts';
import { registerVersion } from './register-version.ts';
import type { Sharing } from './visible.ts';

interface VersionRow {
  tenant: string;
  adapter: string;
  version: number;
  digest: string;
  base: string;
  size: number;
  card: string;
  status: VersionStatus;
  problems: string;
  lease_until: number;
  created_at: number;
}

const SELECT = `SELECT v.tenant, v.adapter, v.version, v.digest, v.base, f.size, v.card, v.status, v.problems,
    v.lease_until, v.created_at
  FROM versions v JOIN files f ON f.digest = v.digest`;

const PLACE = 'tenant = ? AND adapter = ? AND version = ?';

export function versionStore(db: Database, { mayUse }: Sharing): VersionStore {
  return {
    register: registerVersion(db),

    async list(viewer, { tenant, name }) {
      const allowed = mayUse(viewer, 'v', 'adapter');
      const { results } = await db
        .prepare(`${SELECT} WHERE v.tenant = ? AND v.adapter = ? AND ${allowed.sql} ORDER BY v.version`)
        .bind(tenant, name, ...allowed.binds)
        .all<VersionRow>();
      return results.map(toVersion);
    },

    async find(viewer, { tenant, name }, selector) {
      const allowed = mayUse(viewer, 'v', 'adapter');
      const selected = selection(selector);
      const row = await db
        .prepare(`${SELECT} WHERE v.tenant = ? AND v.adapter = ? AND ${allowed.sql} AND ${selected.sql}`)
        .bind(tenant, name, ...allowed.binds, ...selected.binds)
        .first<VersionRow>();
      return row === null ? null : toVersion(row);
    },

    async findByDigest(viewer, digest) {
      const allowed = mayUse(viewer, 'v', 'adapter');
      const own = viewer.kind === 'tenant' ? viewer.tenant : '';
      const row = await db
        .prepare(
          `${SELECT} WHERE v.digest = ? AND ${allowed.sql}
            ORDER BY v.tenant = ? DESC, v.status = 'ready' DESC, v.created_at, v.adapter LIMIT 1`,
        )
        .bind(digest, ...allowed.binds, own)
        .first<VersionRow>();
      return row === null ? null : toVersion(row);
    },

    async claim(tenant, place, { id, now, until }) {
      const [claimed, row] = await db.batch<VersionRow>([
        db
          .prepare(
            `UPDATE versions SET lease = ?, lease_until = ?
              WHERE ${PLACE} AND status = 'verifying' AND lease_until <= ?`,
          )
          .bind(id, until, ...at(tenant, place), now),
        db.prepare(`${SELECT} WHERE v.tenant = ? AND v.adapter = ? AND v.version = ?`).bind(...at(tenant, place)),
      ]);
      const version = row?.results[0];
      return (claimed?.meta.changes ?? 0) > 0 && version !== undefined ? toVersion(version) : null;
    },

    async settle(tenant, place, lease, problems, entry) {
      const [settled] = await db.batch([
        db
          .prepare(
            `UPDATE versions SET status = ?, problems = ?, lease = NULL, lease_until = 0
              WHERE ${PLACE} AND lease = ? AND status = 'verifying'`,
          )
          .bind(problems.length === 0 ? 'ready' : 'rejected', JSON.stringify(problems), ...at(tenant, place), lease),
        logged(db, entry),
      ]);
      return (settled?.meta.changes ?? 0) > 0;
    },

    async postpone(tenant, place, lease, until) {
      await db
        .prepare(`UPDATE versions SET lease = NULL, lease_until = ? WHERE ${PLACE} AND lease = ?`)
        .bind(until, ...at(tenant, place), lease)
        .run();
    },

    async due(now, limit) {
      const { results } = await db
        .prepare(
          `SELECT tenant, adapter AS name, version FROM versions
            WHERE status = 'verifying' AND lease_until <= ? ORDER BY lease_until LIMIT ?`,
        )
        .bind(now, limit)
        .all<AdapterName & VersionPlace>();
      return results;
    },

    async remove(tenant, place, entry) {
      const unaliased = `NOT EXISTS (SELECT 1 FROM aliases l
        WHERE l.tenant = versions.tenant AND l.adapter = versions.adapter AND l.version = versions.version)`;
      const [there, removed] = await db.batch([
        db.prepare(`SELECT 1 FROM versions WHERE ${PLACE}`).bind(...at(tenant, place)),
        db.prepare(`DELETE FROM versions WHERE ${PLACE} AND ${unaliased}`).bind(...at(tenant, place)),
        logged(db, entry),
        // What comes later under this name is another adapter, and nobody's but its owner's.
        db
          .prepare(
            `DELETE FROM grants WHERE tenant = ?1 AND adapter = ?2
              AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.tenant = ?1 AND v.adapter = ?2)`,
          )
          .bind(tenant, place.name),
      ]);
      if (there?.results.length === 0) return null;
      // More than one row: the trigger that marks the file counts too.
      return (removed?.meta.changes ?? 0) > 0 ? 'removed' : 'in use';
    },
  };
}

function selection(selector: Selector): { sql: string; binds: (string | number)[] } {
  if (selector.kind === 'version') return { sql: 'v.version = ?', binds: [selector.version] };
  if (selector.kind === 'latest') return { sql: "v.status = 'ready' ORDER BY v.version DESC LIMIT 1", binds: [] };
  const aliased = `(SELECT l.version FROM aliases l
    WHERE l.tenant = v.tenant AND l.adapter = v.adapter AND l.alias = ?)`;
  return { sql: `v.version = ${aliased}`, binds: [selector.alias] };
}

function at(tenant: string, { name, version }: VersionPlace): [string, string, number] {
  return [tenant, name, version];
}

function toVersion(row: VersionRow): VersionRecord {
  const { tenant, adapter, version, digest, base, size, status } = row;
  return {
    tenant,
    name: adapter,
    version,
    digest,
    base,
    size,
    status,
    card: parseCard(row.card),
    problems: problemsSchema.parse(JSON.parse(row.problems)),
    leaseUntil: row.lease_until,
    createdAt: row.created_at,
  };
}
