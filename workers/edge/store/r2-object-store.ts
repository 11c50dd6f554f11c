import { hexOf } from './blob-store.ts';
import type { ObjectStore } from './object-store.ts';

export function r2ObjectStore(bucket: R2Bucket): ObjectStore {
  return {
    async put(key, body, sha256) {
      await bucket.put(key, body, sha256 === undefined ? {} : { sha256: hexOf(sha256) });
    },
    async open(key) {
      const object = await bucket.get(key);
      return object === null ? null : { body: object.body, size: object.size };
    },
    async remove(keys) {
      if (keys.length > 0) await bucket.delete([...keys]);
    },
    async before(prefix, time, cursor) {
      const page = await bucket.list({ prefix, ...(cursor === undefined ? {} : { cursor }) });
      const keys = page.objects.filter(({ uploaded }) => uploaded.getTime() < time).map(({ key }) => key);
      return { keys, cursor: page.truncated ? page.cursor : undefined };
    },
  };
}
