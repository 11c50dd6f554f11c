import type { Catalogue } from '../catalogue.ts';
import { adapterStore } from './adapters.ts';
import { auditStore } from './audit.ts';
import { baseStore } from './bases.ts';
import { fileStore } from './files.ts';
import { idempotencyStore } from './idempotency.ts';
import { jobStore } from './jobs.ts';
import { keyStore } from './keys.ts';
import { tenantStore } from './tenants.ts';
import { uploadStore } from './uploads.ts';
import { versionStore } from './versions.ts';

/** The catalogue in D1. Everything asks the primary: a key that was revoked on it may not work on a replica. */
export function d1Catalogue(d1: D1Database): Catalogue {
  const db = d1.withSession('first-primary');
  return {
    tenants: tenantStore(db),
    keys: keyStore(db),
    adapters: adapterStore(db),
    versions: versionStore(db),
    bases: baseStore(db),
    files: fileStore(db),
    audit: auditStore(db),
    jobs: jobStore(db),
    uploads: uploadStore(db),
    idempotency: idempotencyStore(db),
  };
}
