import type { AuditEntry } from './audit-store.ts';
import type { MultipartPlace, PartRecord } from './multipart-store.ts';

/** A body that comes in parts, for a tenant or (null) the operator. */
export interface UploadRecord {
  readonly id: string;
  readonly tenant: string | null;
  readonly size: number;
  readonly digest: string;
  /** R2's name for the multipart upload. */
  readonly multipart: string;
  readonly completedAt: number | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Uploads of one owner: a tenant, or null for the operator. Times are milliseconds since 1970. */
export interface UploadStore {
  /**
   * `key` is the id of the key that asked, null for the admin key; `allowedBytes` is what the tenant may store. False
   * where the tenant is gone or has no room, or the id is taken.
   */
  create(
    upload: UploadRecord & { readonly key: string | null },
    allowedBytes: number,
    entry: AuditEntry,
  ): Promise<boolean>;
  /** Null where it is not there, or ran out by `now`, where that is given. */
  find(owner: string | null, id: string, now?: number): Promise<UploadRecord | null>;
  /** The one search without an owner, for whoever shows a signed URL: null once the key that asked is gone. */
  findSigned(id: string, now: number): Promise<UploadRecord | null>;
  /** In their order. */
  parts(id: string): Promise<PartRecord[]>;
  /** Notes a part in the place of an earlier one; false where no part is taken any more. */
  putPart(id: string, part: PartRecord): Promise<boolean>;
  /** Forgets every part, so that all are sent again. */
  forgetParts(id: string): Promise<void>;
  /** False where it is gone. */
  complete(id: string, now: number): Promise<boolean>;
  /** Null where there is none such; `in use` while a job that has not ended reads it. */
  remove(owner: string | null, id: string, entry: AuditEntry): Promise<'removed' | 'in use' | null>;
  /** Takes away uploads that ran out and that no job needs any more, and says how many. */
  expire(now: number, limit: number): Promise<number>;
  /** What the bucket may still have of uploads that are gone. */
  remains(limit: number): Promise<MultipartPlace[]>;
  forgetRemains(id: string): Promise<void>;
}
