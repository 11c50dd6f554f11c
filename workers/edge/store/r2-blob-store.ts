import { type BlobStore, hexOf } from './blob-store.ts';

const fileKey = (digest: string) => `blobs/${hexOf(digest)}`;
const stagingKey = (id: string) => `staging/${id}`;

/** R2: `blobs/<sha256 in hex>` and `staging/<uuid>`. */
export function r2BlobStore(bucket: R2Bucket): BlobStore {
  const put: BlobStore['put'] = async (digest, body) => {
    // Null means that the object is there: under its own digest, that is what was asked for.
    await bucket.put(fileKey(digest), body, { sha256: hexOf(digest), onlyIf: { etagDoesNotMatch: '*' } });
  };

  return {
    put,
    has: async (digest) => (await bucket.head(fileKey(digest))) !== null,
    async open(digest, range) {
      const object = await bucket.get(fileKey(digest), range === undefined ? {} : { range });
      return object === null ? null : { body: object.body, size: object.size };
    },
    async read(digest, range) {
      const object = await bucket.get(fileKey(digest), { range });
      if (object === null) throw new Error('a file of the catalogue is not in the bucket');
      return new Uint8Array(await object.arrayBuffer());
    },
    remove: (digest) => bucket.delete(fileKey(digest)),
    async stage(id, body) {
      await bucket.put(stagingKey(id), body);
    },
    async promote(id, digest) {
      const staged = await bucket.get(stagingKey(id));
      if (staged === null) throw new Error('a staged file is gone');
      await put(digest, staged.body);
    },
    unstage: (id) => bucket.delete(stagingKey(id)),
    async sweepStaging(before) {
      let cursor: string | undefined;
      do {
        const page: R2Objects = await bucket.list({ prefix: 'staging/', ...(cursor === undefined ? {} : { cursor }) });
        const stale = page.objects.filter((object) => object.uploaded.getTime() < before).map((object) => object.key);
        if (stale.length > 0) await bucket.delete(stale);
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
    },
  };
}
