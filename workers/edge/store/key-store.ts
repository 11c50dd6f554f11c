import type { Scope } from '../../../schemas/api.ts';
import type { AuditEntry } from './audit-store.ts';
import type { Quota } from './quota-store.ts';
import type { Page } from './words.ts';

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly scopes: Scope[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

export interface KeyStore {
  /** False where the tenant is gone. */
  create(tenant: string, key: KeyRecord & { readonly hash: string }, entry: AuditEntry): Promise<boolean>;
  list(tenant: string, page: Page<string>): Promise<KeyRecord[]>;
  find(tenant: string, id: string): Promise<KeyRecord | null>;
  /**
   * Makes a key that may do what this one may, for as long, and ends this one at `until` or its own end. Null where it
   * is gone, has ended or was rotated before.
   */
  rotate(tenant: string, id: string, into: Successor, entry: AuditEntry): Promise<KeyRecord | null>;
  revoke(tenant: string, id: string, entry: AuditEntry): Promise<boolean>;
  /** The one search without a tenant: it finds the tenant, and what it may use. */
  findByHash(hashes: readonly string[]): Promise<FoundKey | null>;
  /** Keeps a key under another hash of it. */
  rehash(from: string, to: string): Promise<void>;
}

export interface Successor {
  readonly id: string;
  readonly hash: string;
  readonly now: number;
  readonly until: number;
}

export interface FoundKey extends KeyRecord {
  readonly tenant: string;
  readonly quota: Quota;
  readonly hash: string;
}
