import type { AuditEntry } from './audit-store.ts';
import type { VersionPlace } from './words.ts';

export type AliasMove =
  | { readonly kind: 'moved' }
  /** There is no such version. */
  | { readonly kind: 'no version' }
  /** The version would not serve. */
  | { readonly kind: 'not ready' }
  /** It is elsewhere than was expected; null: there is none. */
  | { readonly kind: 'conflict'; readonly at: number | null };

/** Names that an owner gives to versions. Each change is decided by the database in one transaction, with its line. */
export interface AliasStore {
  /** Moves an alias from where it is expected (null: nowhere yet) to a ready version. */
  set(tenant: string, alias: string, to: VersionPlace, expected: number | null, entry: AuditEntry): Promise<AliasMove>;
  /** Takes it away, where `expected` is given only from there. */
  remove(tenant: string, alias: AliasName, expected: number | undefined, entry: AuditEntry): Promise<AliasRemoval>;
}

export interface AliasName {
  readonly name: string;
  readonly alias: string;
}

export type AliasRemoval =
  | { readonly kind: 'removed' | 'no alias' }
  | { readonly kind: 'conflict'; readonly at: number };
