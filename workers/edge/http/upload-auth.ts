import { createMiddleware } from 'hono/factory';
import { ownUpload, signedUpload } from '../services/uploads/find.ts';
import type { UploadStep } from '../services/uploads/sign.ts';
import { scope } from './auth.ts';
import type { EdgeContext, EdgeEnv } from './context.ts';

/** Who may upload: those who segment what they send, and those who publish it. */
export const uploader = scope('segment', 'adapters:write');

/**
 * A key that may upload, or the signature in the URL in its place. Leaves the upload that the step is of, which is the
 * caller's own.
 */
export function uploadStep(stepOf: (c: EdgeContext) => UploadStep) {
  const check = createMiddleware<EdgeEnv>(async (c, next) => {
    const { expires, signature } = c.req.query();
    const id = c.req.param('id') ?? '';
    if (signature === undefined || c.req.header('authorization') !== undefined) {
      await uploader.middleware(c, async () => {
        c.set('upload', await ownUpload(c.get('ports'), c.get('principal'), id));
      });
    } else {
      const shown = { expires: expires ?? '', signature };
      c.set('upload', await signedUpload(c.get('ports'), id, stepOf(c), shown));
    }
    await next();
  });
  return { security: [...uploader.security, { signature: [] }], middleware: check };
}
