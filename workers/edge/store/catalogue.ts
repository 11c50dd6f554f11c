import type { AdapterStore } from './adapter-store.ts';
import type { AliasStore } from './alias-store.ts';
import type { AuditStore } from './audit-store.ts';
import type { BaseStore } from './base-store.ts';
import type { FileStore } from './file-store.ts';
import type { GrantStore } from './grant-store.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import type { ImageStore } from './image-store.ts';
import type { JobStore } from './job-store.ts';
import type { KeyStore } from './key-store.ts';
import type { LinkStore } from './link-store.ts';
import type { QuotaStore } from './quota-store.ts';
import type { SweepStore } from './sweep-store.ts';
import type { TenantStore } from './tenant-store.ts';
import type { UploadStore } from './upload-store.ts';
import type { VersionStore } from './version-store.ts';

/**
 * What the edge knows, but for the bytes. Every function about a tenant's things takes the tenant, or who looks, as its
 * first argument; there is no way to read them without. What changes something takes the line that the audit gets in
 * the same transaction. Times are milliseconds since 1970.
 */
export interface Catalogue {
  readonly tenants: TenantStore;
  readonly keys: KeyStore;
  readonly links: LinkStore;
  readonly adapters: AdapterStore;
  readonly versions: VersionStore;
  readonly aliases: AliasStore;
  readonly grants: GrantStore;
  readonly bases: BaseStore;
  readonly files: FileStore;
  readonly audit: AuditStore;
  readonly jobs: JobStore;
  readonly uploads: UploadStore;
  readonly images: ImageStore;
  readonly idempotency: IdempotencyStore;
  readonly quotas: QuotaStore;
  readonly sweeps: SweepStore;
}
