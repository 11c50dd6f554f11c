import { Buffer } from 'node:buffer';
import { DIGEST_PREFIX } from './blob-store.ts';
import type { MultipartPlace, MultipartStore } from './multipart-store.ts';
import { answered, answeredAgain } from './outage.ts';
import { INVALID_PART, isR2Fault, NO_SUCH_UPLOAD, r2Code } from './r2-faults.ts';

const uploadKey = (id: string) => `uploads/${id}`;

/** R2: `uploads/<id>`. Parts that nobody ever completes or aborts, R2 lets go by itself after seven days. */
export function r2Multipart(bucket: R2Bucket): MultipartStore {
  const parts = ({ id, multipart }: MultipartPlace) => bucket.resumeMultipartUpload(uploadKey(id), multipart);
  const isWhole = async (id: string) => (await answeredAgain(isR2Fault, () => bucket.head(uploadKey(id)))) !== null;
  const open = (id: string) => answeredAgain(isR2Fault, () => bucket.get(uploadKey(id)));
  const abort = async (place: MultipartPlace) => {
    try {
      await answeredAgain(isR2Fault, () => parts(place).abort());
    } catch (error) {
      if (r2Code(error) !== NO_SUCH_UPLOAD) throw error;
    }
  };

  return {
    async start(id) {
      return (await answered(isR2Fault, () => bucket.createMultipartUpload(uploadKey(id)))).uploadId;
    },
    async part(place, part, body) {
      try {
        return (await answered(isR2Fault, () => parts(place).uploadPart(part, body))).etag;
      } catch (error) {
        if (r2Code(error) === NO_SUCH_UPLOAD) return null;
        throw error;
      }
    },
    async complete(place, made) {
      const list = made.map(({ part, etag }) => ({ partNumber: part, etag }));
      try {
        await answered(isR2Fault, () => parts(place).complete(list));
        return true;
      } catch (error) {
        // Another call, or one whose answer was lost, may have made it.
        if (await isWhole(place.id)) return true;
        if ([NO_SUCH_UPLOAD, INVALID_PART].includes(r2Code(error) ?? '')) return false;
        throw error;
      }
    },
    async open(id) {
      const object = await open(id);
      return object === null ? null : { body: object.body, size: object.size };
    },
    async digest(id) {
      const object = await open(id);
      if (object === null) return null;
      const hash = new crypto.DigestStream('SHA-256');
      await answered(isR2Fault, () => object.body.pipeTo(hash));
      return DIGEST_PREFIX + Buffer.from(await hash.digest).toString('hex');
    },
    abort,
    async remove(place) {
      // In this order: what was completed meanwhile is there for the second step.
      await abort(place);
      await answeredAgain(isR2Fault, () => bucket.delete(uploadKey(place.id)));
    },
  };
}
