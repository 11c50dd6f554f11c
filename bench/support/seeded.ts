import { createHash, createHmac } from 'node:crypto';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SECRETS } from '../../test/e2e/support/edge.ts';
import { digestOfBase, tinyArchitecture, tinyBaseManifest, writeBase } from '../../test/support/safetensors-file.ts';

/** How much a registry holds. */
export interface WorldSize {
  readonly tenants: number;
  readonly adaptersEach: number;
  readonly auditRows: number;
  readonly endedJobs: number;
}

const KEY = 'pdora_of-the-benchmarks';
const SCOPES = ['adapters:read', 'adapters:write', 'segment', 'tenant:admin'];
const NOW = Date.now();
/** Each adapter has from one to so many versions. */
const VERSIONS_MAX = 5;
/** One adapter in so many is granted to the next tenant, and one in so many to everyone. */
const GRANTED = 10;
const PUBLIC = 2_000;

const digest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const tenantName = (t: number) => `tenant-${String(t).padStart(4, '0')}`;
const adapterName = (a: number) => `adapter-${String(a).padStart(3, '0')}`;
const versionDigest = (t: number, a: number, version: number) => digest(`${t}/${a}@${version}`);

/**
 * A registry with rows as the API would have left them. `key` is of the tenant in the middle, whose first adapter has
 * the version 1 under the alias `stable`, whatever the registry's size; `digest` is that version's.
 */
export function seededWorld(size: WorldSize) {
  const middle = Math.floor(size.tenants / 2);
  return {
    key: KEY,
    adapter: adapterName(0),
    digest: versionDigest(middle, 0, 1),
    /** Fills the database of an edge that is not running. */
    seed: async (state: string): Promise<void> => {
      const base = await digestOfBase(writeBase(), tinyArchitecture());
      const db = new DatabaseSync(databaseOf(state));
      db.exec('BEGIN');
      seedBase(db, base);
      for (let t = 0; t < size.tenants; t++) seedTenant(db, t, t === middle, size, base);
      seedAudit(db, size);
      seedJobs(db, size, base);
      db.exec('COMMIT');
      db.close();
    },
  };
}

/** The file of a local D1 in a state folder. */
function databaseOf(state: string): string {
  const found = globSync(join(state, '**', 'd1', '**', '*.sqlite')).filter((file) => !file.includes('metadata'));
  const [file] = found;
  if (file === undefined || found.length > 1) throw new Error(`expected one database, found ${found.join(', ')}`);
  return file;
}

function cardOf(): string {
  const { channels, activation, labels, inference } = tinyBaseManifest();
  const words = { description: 'Of the benchmarks', licence: 'none', intended_use: 'none' };
  return JSON.stringify({ ...words, channels, activation, labels, inference, provenance: {} });
}

function seedBase(db: DatabaseSync, base: string): void {
  db.prepare('INSERT INTO files (digest, size, created_at) VALUES (?, 1, ?)').run(digest('base'), NOW);
  db.prepare('INSERT INTO bases (digest, file, name, architecture, card, created_at) VALUES (?, ?, ?, ?, ?, ?)').run(
    base,
    digest('base'),
    'tiny',
    JSON.stringify(tinyArchitecture()),
    cardOf(),
    NOW,
  );
}

function seedTenant(db: DatabaseSync, t: number, keyed: boolean, size: WorldSize, base: string): void {
  const tenant = tenantName(t);
  db.prepare('INSERT INTO tenants (id, created_at) VALUES (?, ?)').run(tenant, NOW);
  const key = keyed ? KEY : `pdora_of-${tenant}`;
  const hash = createHmac('sha256', SECRETS.KEY_PEPPER).update(key).digest('hex');
  db.prepare('INSERT INTO keys (tenant, id, hash, name, scopes, created_at) VALUES (?, ?, ?, ?, ?, ?)').run(
    tenant,
    'key',
    hash,
    'bench',
    JSON.stringify(SCOPES),
    NOW,
  );
  // A benchmark asks for more than a tenant may.
  db.prepare('INSERT INTO quotas (tenant, requests_per_minute) VALUES (?, 1000000)').run(tenant);
  for (let a = 0; a < size.adaptersEach; a++) {
    seedAdapter(db, t, a, base);
    const grant = db.prepare('INSERT INTO grants (tenant, adapter, grantee) VALUES (?, ?, ?)');
    const count = t * size.adaptersEach + a;
    if (a % GRANTED === GRANTED - 1) grant.run(tenant, adapterName(a), tenantName((t + 1) % size.tenants));
    if (count % PUBLIC === PUBLIC - 1) grant.run(tenant, adapterName(a), '*');
  }
}

function seedAdapter(db: DatabaseSync, t: number, a: number, base: string): void {
  const [tenant, name] = [tenantName(t), adapterName(a)];
  // The same for the first, which is the one that is asked for.
  const versions = 1 + ((t * a) % VERSIONS_MAX);
  db.prepare('INSERT INTO adapters (tenant, name, next_version, created_at) VALUES (?, ?, ?, ?)').run(
    tenant,
    name,
    versions + 1,
    NOW,
  );
  for (let version = 1; version <= versions; version++) {
    const file = versionDigest(t, a, version);
    db.prepare('INSERT INTO files (digest, size, created_at) VALUES (?, 50000, ?)').run(file, NOW);
    db.prepare(
      `INSERT INTO versions (tenant, adapter, version, digest, base, card, status, created_at)
        VALUES (?, ?, ?, ?, ?, ?, 'ready', ?)`,
    ).run(tenant, name, version, file, base, cardOf(), NOW);
  }
  db.prepare("INSERT INTO aliases (tenant, adapter, alias, version) VALUES (?, ?, 'stable', 1)").run(tenant, name);
}

function seedAudit(db: DatabaseSync, { tenants, auditRows }: WorldSize): void {
  const insert = db.prepare(
    `INSERT INTO audit (tenant, at, actor, action, subject, adapter, base, voxels, outcome, request)
      VALUES (?, ?, 'key:key', 'segmentation.run', 'x', NULL, NULL, 1000000, 'ok', 'r')`,
  );
  for (let row = 0; row < auditRows; row++) insert.run(tenantName(row % tenants), NOW - auditRows + row);
}

function seedJobs(db: DatabaseSync, { tenants, endedJobs }: WorldSize, base: string): void {
  const insert = db.prepare(
    `INSERT INTO jobs (id, tenant, actor, request, trace, base, output, input, input_bytes, status, progress, attempt,
        created_at, deadline_at, started_at, ended_at)
      VALUES (?, ?, 'key:key', 'r', '-', ?, 'labels', ?, 1000, 'succeeded', 1, 1, ?, ?, ?, ?)`,
  );
  const input = JSON.stringify({ kind: 'body', contentType: 'application/octet-stream', size: 1000 });
  for (let row = 0; row < endedJobs; row++) {
    const at = NOW - endedJobs + row;
    insert.run(digest(`job ${row}`).slice(7, 43), tenantName(row % tenants), base, input, at, at + 1, at, at);
  }
}
