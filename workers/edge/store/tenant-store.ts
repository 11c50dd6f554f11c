import type { AuditEntry } from './audit-store.ts';
import type { MultipartPlace } from './multipart-store.ts';
import type { Page } from './words.ts';

export interface TenantRecord {
  readonly id: string;
  readonly createdAt: number;
}

export interface TenantStore {
  /** False where it is there already. */
  create(tenant: string, now: number, entry: AuditEntry): Promise<boolean>;
  exists(tenant: string): Promise<boolean>;
  find(tenant: string): Promise<TenantRecord | null>;
  list(page: Page<string>): Promise<TenantRecord[]>;
  /**
   * Takes every row of the tenant away, its name out of everyone else's, and leaves the tombstone. Answers what is to
   * leave the bucket; null where there is no such tenant.
   */
  remove(tenant: string, tombstone: Tombstone): Promise<Estate | null>;
}

/** All that is left of a deleted tenant. */
export interface Tombstone {
  /** An HMAC of its name. */
  readonly nameHash: string;
  readonly at: number;
  readonly actor: string;
}

/** What a deleted tenant leaves in the bucket. */
export interface Estate {
  /** Digests of files, which others may have too. */
  readonly files: readonly string[];
  readonly uploads: readonly MultipartPlace[];
  readonly images: readonly string[];
  readonly jobs: readonly string[];
}
