-- Uploads in parts, asynchronous segmentations, limits and the audit. Times are milliseconds since 1970. Where a tenant
-- is NULL, the thing is the operator's.

-- What a tenant may use; a missing row, or a missing number, is the operator's default.
CREATE TABLE quotas (
  tenant TEXT PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
  stored_bytes INTEGER,
  waiting_jobs INTEGER,
  segmentations_at_once INTEGER,
  requests_per_minute INTEGER
) STRICT, WITHOUT ROWID;

-- A body on its way in parts, then whole under `uploads/<id>` until it expires. `key` asked for it: with that key gone,
-- no further part is taken. `multipart` is R2's name for it.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  key TEXT,
  size INTEGER NOT NULL,
  digest TEXT NOT NULL,
  multipart TEXT NOT NULL,
  completed_at INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_of_tenant ON uploads (tenant);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

CREATE TABLE upload_parts (
  upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  part INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (upload, part)
) STRICT, WITHOUT ROWID;

-- What the bucket may still have of an upload whose row is gone, with its tenant or without: the parts and the whole.
CREATE TABLE upload_remains (
  upload TEXT PRIMARY KEY,
  multipart TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER uploads_leave_remains AFTER DELETE ON uploads BEGIN
  INSERT INTO upload_remains (upload, multipart) VALUES (OLD.id, OLD.multipart);
END;

-- An image that a MONAI Label client left for later calls, under `images/<id>` until `kept_ms` after its last use. With a
-- `name`, an HMAC of what the client calls it, it is one of the datastore; without, a session. The object holds `size`
-- bytes of image and what the client's form had after them, `stored_bytes` together.
CREATE TABLE images (
  id TEXT PRIMARY KEY,
  tenant TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT,
  extension TEXT NOT NULL,
  size INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  kept_ms INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX images_of_tenant ON images (tenant, name);
CREATE INDEX images_by_expiry ON images (expires_at);

-- The truth about an asynchronous segmentation. The adapter was resolved when it was taken in; `adapter` and `base` are
-- digests, and a NULL adapter means the base alone. `request` took it in, and `trace` is that request's
-- `traceparent`. `lease` names the attempt under way until `lease_until`; while it is queued, `lease_until` is when a
-- message for it is due again. `attempt` counts every attempt, so that none writes where another did; `failures` counts
-- those whose runner was lost. The result is `results/<id>/<attempt>`.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  tenant TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  actor TEXT NOT NULL,
  request TEXT NOT NULL,
  trace TEXT NOT NULL,
  adapter TEXT,
  adapter_tenant TEXT,
  adapter_name TEXT,
  adapter_version INTEGER,
  base TEXT NOT NULL REFERENCES bases (digest),
  output TEXT NOT NULL CHECK (output IN ('labels', 'probabilities')),
  format TEXT NOT NULL DEFAULT 'nifti' CHECK (format IN ('nifti', 'nrrd')),
  input TEXT NOT NULL CHECK (json_valid(input)),
  input_bytes INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  progress REAL NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  lease_until INTEGER NOT NULL DEFAULT 0,
  runner TEXT,
  problem TEXT CHECK (problem IS NULL OR json_valid(problem)),
  result_bytes INTEGER,
  cache TEXT,
  voxels INTEGER,
  server_timing TEXT,
  report TEXT CHECK (report IS NULL OR json_valid(report)),
  created_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  result_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_by_age ON jobs (tenant, created_at, id);
-- For the operator, who lists those of all.
CREATE INDEX jobs_of_all_by_age ON jobs (created_at, id);
CREATE INDEX jobs_open ON jobs (lease_until) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_open_of_tenant ON jobs (tenant, created_at) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_with_result ON jobs (result_until) WHERE result_until IS NOT NULL;
CREATE INDEX jobs_with_result_of_tenant ON jobs (tenant, result_until) WHERE result_until IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- The uploads that a job reads, which do not expire before it has ended.
CREATE TABLE job_inputs (
  job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  PRIMARY KEY (job, upload)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_inputs_of_upload ON job_inputs (upload);

-- `resource` is the id that the call was to make; the call is done once that is there. `owner` is a tenant, or empty for
-- the operator. `lease_until` is when a call that broke off may be taken over.
CREATE TABLE idempotency (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  resource TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_by_resource ON idempotency (resource);

-- What was erased is not made again under its id, where something late of the first may still be at work: its key is
-- erased with it.
CREATE TRIGGER jobs_take_their_key AFTER DELETE ON jobs BEGIN
  DELETE FROM idempotency WHERE resource = OLD.id;
END;

CREATE TRIGGER uploads_take_their_key AFTER DELETE ON uploads BEGIN
  DELETE FROM idempotency WHERE resource = OLD.id;
END;

-- How far housekeeping has come through the objects under a prefix; no row means that it begins anew.
CREATE TABLE sweeps (
  prefix TEXT PRIMARY KEY,
  cursor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what, never of whom. `outcome` is `ok` or the code of the problem; `request` is the id on the reply.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  adapter TEXT,
  base TEXT,
  voxels INTEGER,
  outcome TEXT NOT NULL,
  request TEXT NOT NULL
) STRICT;

CREATE INDEX audit_of_tenant ON audit (tenant, id);

-- The one change: a line of someone else's that names a deleted tenant forgets the name.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.subject NOT GLOB '*(deleted)' OR (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.outcome, NEW.request)
    <> (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.outcome, OLD.request)
  OR NEW.tenant IS NOT OLD.tenant OR NEW.adapter IS NOT OLD.adapter OR NEW.base IS NOT OLD.base
  OR NEW.voxels IS NOT OLD.voxels BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- It goes with its tenant, and not before.
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.tenant IS NULL OR EXISTS (SELECT 1 FROM tenants WHERE id = OLD.tenant) BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- All that is left of a deleted tenant: an HMAC of its name, when, and who did it.
CREATE TABLE tombstones (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name_hash TEXT NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT;
