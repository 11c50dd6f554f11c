import type { Catalogue } from '../catalogue.ts';
import type { Quota } from '../quota-store.ts';
import { adapterStore } from './adapters.ts';
import { auditStore } from './audit.ts';
import { baseStore } from './bases.ts';
import { fileStore } from './files.ts';
import { keyStore } from './keys.ts';
import { quotaStore } from './quotas.ts';
import { tenantStore } from './tenants.ts';
import { versionStore } from './versions.ts';

/** The catalogue in D1; `quota` is for tenants without numbers of their own. Everything asks the primary: a key that was revoked on it may not work on a replica. */
export function d1Catalogue(d1: D1Database, quota: Quota): Catalogue {
  const db = d1.withSession('first-primary');
  return {
    tenants: tenantStore(db),
    keys: keyStore(db, quota),
    adapters: adapterStore(db),
    versions: versionStore(db),
    bases: baseStore(db),
    files: fileStore(db),
    audit: auditStore(db),
    quotas: quotaStore(db, quota),
  };
}
