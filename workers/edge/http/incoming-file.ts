import { fromUploadSchema } from '../../../schemas/api-uploads.ts';
import type { IncomingFile } from '../services/files/receive.ts';
import { openUpload } from '../services/uploads/open.ts';
import { consumeUpload } from '../services/uploads/remove.ts';
import type { EdgeContext } from './context.ts';
import { contentLength, reprDigest } from './headers.ts';
import { isJson, readJson } from './json.ts';

/**
 * Makes something of the file of a request: its body, or the upload that its JSON body names, which is then used up.
 * Where `make` throws, an upload stays as it is.
 */
export async function withFile<T>(c: EdgeContext, make: (file: IncomingFile) => Promise<T>): Promise<T> {
  if (!isJson(c.req)) {
    return make({ body: c.req.raw.body, size: contentLength(c.req), digest: reprDigest(c.req), fromCaller: true });
  }
  const { upload: id } = await readJson(c.req, fromUploadSchema);
  const made = await make(await openUpload(c.get('ports'), c.get('principal'), id));
  consumeUpload(c.get('ports'), c.get('principal'), id);
  return made;
}
