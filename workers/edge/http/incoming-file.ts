import { fromUploadSchema } from '../../../schemas/api-uploads.ts';
import type { IncomingFile } from '../services/files/receive.ts';
import { openUpload } from '../services/uploads/open.ts';
import { consumeUpload } from '../services/uploads/remove.ts';
import type { EdgeContext } from './context.ts';
import { invalidRequest } from './errors.ts';
import { contentLength, isJson, reprDigest } from './headers.ts';
import { JSON_BODY_MAX_BYTES } from './middleware.ts';

/**
 * Makes something of the file of a request: its body, or the upload that its JSON body names, which is then used up.
 * Where `make` throws, an upload stays as it is.
 */
export async function withFile<T>(c: EdgeContext, make: (file: IncomingFile) => Promise<T>): Promise<T> {
  if (!isJson(c.req)) {
    return make({ body: c.req.raw.body, size: contentLength(c.req), digest: reprDigest(c.req), fromCaller: true });
  }
  const id = await uploadNamed(c);
  const made = await make(await openUpload(c.get('ports'), c.get('principal'), id));
  consumeUpload(c.get('ports'), c.get('principal'), id);
  return made;
}

async function uploadNamed(c: EdgeContext): Promise<string> {
  contentLength(c.req, JSON_BODY_MAX_BYTES);
  const named = fromUploadSchema.safeParse(await c.req.json().catch(() => undefined));
  if (!named.success) throw invalidRequest(named.error);
  return named.data.upload;
}
