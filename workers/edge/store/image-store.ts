import type { AuditEntry } from './audit-store.ts';

/** An image that a client left for later calls. */
export interface ImageRecord {
  readonly id: string;
  /** A tenant, or null for the operator. */
  readonly tenant: string | null;
  /** An HMAC of what the client calls it, for one of the datastore; null for a session. */
  readonly name: string | null;
  /** Of its file, such as `.nii.gz`. */
  readonly extension: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Bytes of its object, which may hold more behind the image. */
  readonly storedBytes: number;
  /** For how long it is kept from its last use. */
  readonly keptMs: number;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly expiresAt: number;
}

/** Which image: a session by its id, or one of the datastore by the HMAC of its name. */
export type ImagePlace = { readonly id: string } | { readonly name: string };

/** Images of one owner: a tenant, or null for the operator. Times are milliseconds since 1970. */
export interface ImageStore {
  /**
   * Takes the place of those with its name, whose ids are answered; `allowedBytes` is what the tenant may store. Null
   * where the tenant is gone or has no room.
   */
  create(image: ImageRecord, allowedBytes: number, entry: AuditEntry): Promise<string[] | null>;
  /** Null where it is not there, or ran out by `now`. */
  find(owner: string | null, place: ImagePlace, now: number): Promise<ImageRecord | null>;
  /** Keeps it for its time from `now` on. */
  use(id: string, now: number): Promise<void>;
  /** Of the datastore. */
  count(owner: string | null, now: number): Promise<number>;
  remove(owner: string | null, id: string, entry: AuditEntry): Promise<boolean>;
  /** Takes away what ran out, and answers the ids. */
  expire(now: number, limit: number): Promise<string[]>;
}
