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

export interface UploadStore {
  find(owner: string | null, id: string): Promise<UploadRecord | null>;
}
