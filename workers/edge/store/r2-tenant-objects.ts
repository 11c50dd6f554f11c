import type { TenantObjects } from './tenant-objects.ts';

/** `uploads/<id>`, `inputs/<job>` and `results/<job>/<attempt>`. */
export function r2TenantObjects(bucket: R2Bucket): TenantObjects {
  /** An object of this key, and those below it. */
  async function clear(key: string): Promise<void> {
    await bucket.delete(key);
    let cursor: string | undefined;
    do {
      const page: R2Objects = await bucket.list({ prefix: `${key}/`, ...(cursor === undefined ? {} : { cursor }) });
      if (page.objects.length > 0) await bucket.delete(page.objects.map((object) => object.key));
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  }

  return {
    async remove({ uploads, jobs }) {
      for (const { id, multipart } of uploads) {
        // One that is complete, or that R2 gave up by itself, cannot be aborted.
        await bucket
          .resumeMultipartUpload(`uploads/${id}`, multipart)
          .abort()
          .catch(() => {});
        await clear(`uploads/${id}`);
      }
      for (const job of jobs) {
        await clear(`inputs/${job}`);
        await clear(`results/${job}`);
      }
    },
  };
}
