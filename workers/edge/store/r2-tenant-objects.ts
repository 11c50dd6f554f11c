import { persistently } from '../persistently.ts';
import type { TenantObjects } from './tenant-objects.ts';

/** `uploads/<id>`, `inputs/<job>` and `results/<job>/<attempt>`. */
export function r2TenantObjects(bucket: R2Bucket): TenantObjects {
  /** An object of this key, and those below it. */
  async function clear(key: string): Promise<void> {
    await persistently(() => bucket.delete(key));
    let cursor: string | undefined;
    do {
      const from = { prefix: `${key}/`, ...(cursor === undefined ? {} : { cursor }) };
      const page = await persistently(() => bucket.list(from));
      const keys = page.objects.map((object) => object.key);
      if (keys.length > 0) await persistently(() => bucket.delete(keys));
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  }

  return {
    async remove({ uploads, jobs }) {
      const failures: unknown[] = [];
      const attempt = (key: string) => clear(key).catch((error: unknown) => failures.push(error));
      for (const { id, multipart } of uploads) {
        const key = `uploads/${id}`;
        // R2 itself gives up, after a week, what cannot be aborted.
        if (multipart !== null) {
          const upload = bucket.resumeMultipartUpload(key, multipart);
          await upload.abort().catch(() => {});
        }
        await attempt(key);
      }
      for (const job of jobs) {
        await attempt(`inputs/${job}`);
        await attempt(`results/${job}`);
      }
      if (failures.length > 0) {
        throw new Error(`${failures.length} keys of the bucket were not cleared: ${String(failures[0])}`);
      }
    },
  };
}
