import { hexOf } from './blob-store.ts';
import type { ObjectStore } from './object-store.ts';
import { answered, answeredAgain } from './outage.ts';
import { isR2Fault } from './r2-faults.ts';

/** R2: each object under its own key. */
export function r2ObjectStore(bucket: R2Bucket): ObjectStore {
  return {
    async put(key, body, sha256) {
      const options = sha256 === undefined ? {} : { sha256: hexOf(sha256) };
      await answered(isR2Fault, () => bucket.put(key, body, options));
    },
    async open(key, length) {
      const options = length === undefined ? {} : { range: { offset: 0, length } };
      const object = await answeredAgain(isR2Fault, () => bucket.get(key, options));
      return object === null ? null : { body: object.body, size: object.size };
    },
    async remove(keys) {
      if (keys.length > 0) await answeredAgain(isR2Fault, () => bucket.delete([...keys]));
    },
    async before(prefix, time, cursor) {
      const options = cursor === undefined ? { prefix } : { prefix, cursor };
      const page = await answeredAgain(isR2Fault, () => bucket.list(options));
      const keys = page.objects.filter((object) => object.uploaded.getTime() < time).map((object) => object.key);
      return { keys, cursor: page.truncated ? page.cursor : undefined };
    },
  };
}
