import type { Settings } from '../../settings.ts';
import type { Catalogue } from '../catalogue.ts';
import { adapterStore } from './adapters.ts';
import { aliasStore } from './aliases.ts';
import { auditStore } from './audit.ts';
import { baseStore } from './bases.ts';
import { databaseOf } from './database.ts';
import { fileStore } from './files.ts';
import { grantStore } from './grants.ts';
import { idempotencyStore } from './idempotency.ts';
import { imageStore } from './images.ts';
import { jobStore } from './jobs.ts';
import { keyStore } from './keys.ts';
import { linkStore } from './links.ts';
import { quotaStore } from './quotas.ts';
import { sweepStore } from './sweeps.ts';
import { tenantStore } from './tenants.ts';
import { uploadStore } from './uploads.ts';
import { versionStore } from './versions.ts';
import { sharing } from './visible.ts';

type CatalogueSettings = Pick<Settings, 'publicAdapters' | 'quota'>;

/**
 * The catalogue in D1; `quota` is for tenants without numbers of their own. Everything asks the primary: a key that was
 * revoked on it may not work on a replica.
 */
export function d1Catalogue(d1: D1Database, { publicAdapters, quota }: CatalogueSettings): Catalogue {
  const db = databaseOf(d1);
  const rule = sharing(publicAdapters);
  return {
    tenants: tenantStore(db),
    keys: keyStore(db, quota),
    links: linkStore(db, quota),
    adapters: adapterStore(db, rule),
    versions: versionStore(db, rule),
    aliases: aliasStore(db),
    grants: grantStore(db),
    bases: baseStore(db),
    files: fileStore(db),
    audit: auditStore(db),
    quotas: quotaStore(db, quota),
    jobs: jobStore(db),
    uploads: uploadStore(db),
    images: imageStore(db),
    idempotency: idempotencyStore(db),
    sweeps: sweepStore(db),
  };
}
