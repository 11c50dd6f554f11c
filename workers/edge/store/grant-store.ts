import type { AuditEntry } from './audit-store.ts';
import type { Page } from './words.ts';

/** Who may use a tenant's adapters beside it. A grantee is a tenant, there or not, or `*`. */
export interface GrantStore {
  /** False where there is no such adapter; giving what is given already changes nothing. */
  give(tenant: string, name: string, grantee: string, entry: AuditEntry): Promise<boolean>;
  /** False where there is no such grant. */
  withdraw(tenant: string, name: string, grantee: string, entry: AuditEntry): Promise<boolean>;
  /** By grantee; null where there is no such adapter. */
  list(tenant: string, name: string, page: Page<string>): Promise<string[] | null>;
}
