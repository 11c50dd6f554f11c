import type { AuditEntry } from './audit-store.ts';

/** What a tenant may use. */
export interface Quota {
  readonly storedBytes: number;
  /** Asynchronous segmentations that have not ended. */
  readonly waitingJobs: number;
  readonly segmentationsAtOnce: number;
  readonly requestsPerMinute: number;
}

/** What it uses of it, as far as the catalogue knows. */
export type Usage = Pick<Quota, 'storedBytes' | 'waitingJobs'>;

/** Numbers of a tenant's own; null goes back to the operator's default, what is left out stays. */
export type QuotaChanges = { readonly [K in keyof Quota]?: number | null | undefined };

/** A file that a tenant is about to store; null where its digest is not known yet. */
export interface WantedFile {
  readonly size: number;
  readonly digest: string | null;
}

export interface Room {
  readonly usedBytes: number;
  readonly allowedBytes: number;
  /** Stored by the tenant already, or, where the digest is not known, perhaps so: a file of its size is. */
  readonly known: boolean;
}

export interface QuotaStore {
  /** The operator's defaults where the tenant has no numbers of its own. */
  of(tenant: string): Promise<Quota>;
  usage(tenant: string, now: number): Promise<Usage>;
  /** False where the tenant is gone. */
  set(tenant: string, changes: QuotaChanges, entry: AuditEntry): Promise<boolean>;
  /** Null where the tenant is not there. */
  room(tenant: string, file: WantedFile, now: number): Promise<Room | null>;
}
