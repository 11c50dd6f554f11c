import { type BlobStore, hexOf } from './blob-store.ts';
import { answered, answeredAgain } from './outage.ts';
import { isR2Fault } from './r2-faults.ts';

const fileKey = (digest: string) => `blobs/${hexOf(digest)}`;
const stagingKey = (id: string) => `staging/${id}`;

/** R2: `blobs/<sha256 in hex>` and `staging/<uuid>`. Where it does not answer, it throws `storage_unavailable`. */
export function r2BlobStore(bucket: R2Bucket): BlobStore {
  const put: BlobStore['put'] = async (digest, body) => {
    const options = { sha256: hexOf(digest), onlyIf: { etagDoesNotMatch: '*' } };
    // Null means that the object is there: under its own digest, that is what was asked for.
    await answered(isR2Fault, () => bucket.put(fileKey(digest), body, options));
  };
  const get = (key: string, options: R2GetOptions = {}) => answeredAgain(isR2Fault, () => bucket.get(key, options));
  const remove = (keys: string | string[]) => answeredAgain(isR2Fault, () => bucket.delete(keys));

  return {
    put,
    has: async (digest) => (await answeredAgain(isR2Fault, () => bucket.head(fileKey(digest)))) !== null,
    async open(digest, range) {
      const object = await get(fileKey(digest), range === undefined ? {} : { range });
      return object === null ? null : { body: object.body, size: object.size };
    },
    async read(digest, range) {
      const bytes = await answeredAgain(isR2Fault, async () =>
        (await bucket.get(fileKey(digest), { range }))?.arrayBuffer(),
      );
      if (bytes === undefined) throw new Error('a file of the catalogue is not in the bucket');
      return new Uint8Array(bytes);
    },
    remove: (digest) => remove(fileKey(digest)),
    async stage(id, body) {
      await answered(isR2Fault, () => bucket.put(stagingKey(id), body));
    },
    async promote(id, digest) {
      const staged = await get(stagingKey(id));
      if (staged === null) throw new Error('a staged file is gone');
      await put(digest, staged.body);
    },
    unstage: (id) => remove(stagingKey(id)),
    async sweepStaging(before) {
      let cursor: string | undefined;
      do {
        const options = { prefix: 'staging/', ...(cursor === undefined ? {} : { cursor }) };
        const page: R2Objects = await answeredAgain(isR2Fault, () => bucket.list(options));
        const stale = page.objects.filter((object) => object.uploaded.getTime() < before).map((object) => object.key);
        if (stale.length > 0) await remove(stale);
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
    },
  };
}
