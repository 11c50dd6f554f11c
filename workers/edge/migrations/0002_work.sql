-- What asynchronous work, uploads in parts and quotas stand on. Times are milliseconds since 1970.

-- What a tenant may use; a missing row, or a missing number, is the operator's default.
CREATE TABLE quotas (
  tenant TEXT PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
  stored_bytes INTEGER,
  waiting_jobs INTEGER,
  segmentations_at_once INTEGER,
  requests_per_minute INTEGER
) STRICT, WITHOUT ROWID;

-- A body on its way in parts, then whole under `staging/<id>` until something is made of it.
CREATE TABLE uploads (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  size INTEGER NOT NULL,
  digest TEXT NOT NULL,
  multipart TEXT,
  completed_at INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_by_expiry ON uploads (expires_at);

-- The truth about an asynchronous segmentation. `adapter` and `base` are the digests resolved when it was taken in; the
-- result is `results/<id>/<attempt>` of the attempt that ended it. `lease` names the attempt under way until `lease_until`.
CREATE TABLE jobs (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  adapter TEXT,
  base TEXT NOT NULL REFERENCES bases (digest),
  request TEXT NOT NULL CHECK (json_valid(request)),
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  progress REAL NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  lease_until INTEGER NOT NULL DEFAULT 0,
  problem TEXT CHECK (problem IS NULL OR json_valid(problem)),
  created_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  ended_at INTEGER,
  expires_at INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_by_age ON jobs (tenant, created_at);
CREATE INDEX jobs_to_sweep ON jobs (lease_until) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_by_expiry ON jobs (expires_at) WHERE expires_at IS NOT NULL;
