import type { UploadStore } from '../upload-store.ts';
import type { Database } from './database.ts';

interface UploadRow {
  id: string;
  tenant: string | null;
  size: number;
  digest: string;
  multipart: string;
  completed_at: number | null;
  created_at: number;
  expires_at: number;
}

export function uploadStore(db: Database): UploadStore {
  return {
    async find(owner, id) {
      const row = await db
        .prepare('SELECT * FROM uploads WHERE id = ? AND tenant IS ?')
        .bind(id, owner)
        .first<UploadRow>();
      if (row === null) return null;
      const { tenant, size, digest, multipart } = row;
      return {
        id,
        tenant,
        size,
        digest,
        multipart,
        completedAt: row.completed_at,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
      };
    },
  };
}
