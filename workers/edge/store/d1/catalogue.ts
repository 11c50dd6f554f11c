import type { Catalogue } from '../catalogue.ts';
import { adapterStore } from './adapters.ts';
import { auditStore } from './audit.ts';
import { baseStore } from './bases.ts';
import { databaseOf } from './database.ts';
import { fileStore } from './files.ts';
import { keyStore } from './keys.ts';
import { sweepStore } from './sweeps.ts';
import { tenantStore } from './tenants.ts';
import { uploadStore } from './uploads.ts';
import { versionStore } from './versions.ts';

/** The catalogue in D1. */
export function d1Catalogue(d1: D1Database): Catalogue {
  const db = databaseOf(d1);
  return {
    tenants: tenantStore(db),
    keys: keyStore(db),
    adapters: adapterStore(db),
    versions: versionStore(db),
    bases: baseStore(db),
    files: fileStore(db),
    audit: auditStore(db),
    uploads: uploadStore(db),
    sweeps: sweepStore(db),
  };
}
