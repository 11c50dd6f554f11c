-- Times are milliseconds since 1970. Digests are `sha256:` and 64 hex digits. What a tenant owns starts with its tenant.

CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `hash` is the HMAC of the key; the key itself is nowhere. A revoked key is a deleted row. `successor` is the key that it
-- was rotated into, which happens once.
CREATE TABLE keys (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  successor TEXT,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- What stands in a path for a key, for clients that can show none: it may segment and nothing else, and always ends. As of
-- keys, there is an HMAC of it here and nothing more.
CREATE TABLE links (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- A file in R2, written here before it is put there. `unused_since` is when the last thing that pointed at it went, 0 while
-- nothing ever did, NULL while something does; the triggers below keep it, whatever deletes a version. A grace time later
-- the file may be taken away: `deleting` says by which turn and `deleting_at` since when, while that happens.
CREATE TABLE files (
  digest TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  unused_since INTEGER DEFAULT 0,
  deleting TEXT,
  deleting_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX files_unused ON files (unused_since) WHERE unused_since IS NOT NULL;

-- An upload on its way: a file that is held is not taken away although nothing points at it yet.
CREATE TABLE file_holds (
  id TEXT PRIMARY KEY,
  digest TEXT NOT NULL REFERENCES files (digest) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX file_holds_of_file ON file_holds (digest);
CREATE INDEX file_holds_by_expiry ON file_holds (expires_at);

CREATE TABLE bases (
  digest TEXT PRIMARY KEY,
  file TEXT NOT NULL REFERENCES files (digest),
  name TEXT NOT NULL,
  architecture TEXT NOT NULL CHECK (json_valid(architecture)),
  card TEXT NOT NULL CHECK (json_valid(card)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX bases_of_file ON bases (file);

-- An adapter exists while it has versions; its row stays behind, so that a version number is never used again.
CREATE TABLE adapters (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  next_version INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- `lease` names the verification that is under way until `lease_until`.
CREATE TABLE versions (
  tenant TEXT NOT NULL,
  adapter TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL REFERENCES files (digest),
  base TEXT NOT NULL REFERENCES bases (digest),
  card TEXT NOT NULL CHECK (json_valid(card)),
  status TEXT NOT NULL CHECK (status IN ('verifying', 'ready', 'rejected')),
  problems TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(problems)),
  lease TEXT,
  lease_until INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, adapter, version),
  UNIQUE (tenant, adapter, digest),
  FOREIGN KEY (tenant, adapter) REFERENCES adapters (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX versions_of_file ON versions (digest);
CREATE INDEX versions_of_base ON versions (base);
CREATE INDEX versions_to_verify ON versions (lease_until) WHERE status = 'verifying';

-- The time is the database's own, since a version may also go with its tenant.
CREATE TRIGGER files_of_versions_are_used AFTER INSERT ON versions BEGIN
  UPDATE files SET unused_since = NULL WHERE digest = NEW.digest AND unused_since IS NOT NULL;
END;

CREATE TRIGGER files_of_bases_are_used AFTER INSERT ON bases BEGIN
  UPDATE files SET unused_since = NULL WHERE digest = NEW.file AND unused_since IS NOT NULL;
END;

CREATE TRIGGER files_of_versions_go_unused AFTER DELETE ON versions BEGIN
  UPDATE files SET unused_since = CAST(unixepoch('subsec') * 1000 AS INTEGER)
  WHERE digest = OLD.digest AND unused_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM versions WHERE digest = OLD.digest)
    AND NOT EXISTS (SELECT 1 FROM bases WHERE file = OLD.digest);
END;

CREATE TABLE aliases (
  tenant TEXT NOT NULL,
  adapter TEXT NOT NULL,
  alias TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant, adapter, alias),
  FOREIGN KEY (tenant, adapter, version) REFERENCES versions (tenant, adapter, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX aliases_of_version ON aliases (tenant, adapter, version);

-- `grantee` is a tenant, or `*` for everyone.
CREATE TABLE grants (
  tenant TEXT NOT NULL,
  adapter TEXT NOT NULL,
  grantee TEXT NOT NULL,
  PRIMARY KEY (tenant, adapter, grantee),
  FOREIGN KEY (tenant, adapter) REFERENCES adapters (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_of_grantee ON grants (grantee, tenant, adapter);
