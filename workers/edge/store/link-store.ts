import type { AuditEntry } from './audit-store.ts';
import type { Quota } from './quota-store.ts';
import type { Page } from './words.ts';

/** What stands in a path for a key; it may segment and nothing else. */
export interface LinkRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface FoundLink extends LinkRecord {
  readonly tenant: string;
  readonly quota: Quota;
  readonly hash: string;
}

/** Times are milliseconds since 1970. */
export interface LinkStore {
  /** False where the tenant is gone. */
  create(tenant: string, link: LinkRecord & { readonly hash: string }, entry: AuditEntry): Promise<boolean>;
  list(tenant: string, page: Page<string>): Promise<LinkRecord[]>;
  revoke(tenant: string, id: string, entry: AuditEntry): Promise<boolean>;
  /** The one search without a tenant: it finds the tenant, and what it may use. */
  findByHash(hashes: readonly string[]): Promise<FoundLink | null>;
  /** Keeps a link under another hash of it. */
  rehash(from: string, to: string): Promise<void>;
}
