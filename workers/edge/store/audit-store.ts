import type { AuditAction } from '../../../schemas/api-audit.ts';
import type { ErrorCode } from '../../../schemas/errors.ts';
import type { Page } from './words.ts';

/** One line of the audit. It says who did what to which thing, and never holds a file's name or anything of an image. */
export interface AuditEntry {
  /** Whose audit it stands in; null for what is the operator's alone. */
  readonly tenant: string | null;
  /** `operator`, `service`, `key:<id>` or `link:<id>`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** The thing in the API's own words, such as `clinic/hippocampus@3` or a key's id. */
  readonly subject: string;
  readonly adapter?: string | null;
  readonly base?: string | null;
  readonly voxels?: number | null;
  readonly outcome: 'ok' | ErrorCode;
  readonly requestId: string;
  readonly at: number;
}

export type AuditRecord = Required<AuditEntry> & { readonly id: number };

/** Append-only. What changes something is written in the same transaction as the change, by the store that makes it. */
export interface AuditStore {
  /**
   * False where the tenant is gone, of which nothing may be written any more. `owner` is the tenant that the subject
   * names, where it names one: if that one is gone, so is its name.
   */
  append(entry: AuditEntry, owner?: string): Promise<boolean>;
  /** The newest first; of one tenant, or of everyone where `tenant` is undefined. */
  list(tenant: string | undefined, page: Page<number>): Promise<AuditRecord[]>;
}
