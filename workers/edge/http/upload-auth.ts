import { createMiddleware } from 'hono/factory';
import { ownUpload, signedUpload } from '../services/uploads/find.ts';
import type { UploadStep } from '../services/uploads/sign.ts';
import { oneScope } from './auth.ts';
import type { EdgeContext, EdgeEnv } from './context.ts';
import { withinLimits } from './limits.ts';

/** Who may upload: those who segment what they send, and those who publish it. */
export const uploader = oneScope('segment', 'adapters:write');

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
        await next();
      });
    } else {
      const ports = c.get('ports');
      const upload = await signedUpload(ports, id, stepOf(c), { expires: expires ?? '', signature });
      c.set('upload', upload);
      const { tenant } = upload;
      if (tenant === null) return next();
      const quota = await ports.catalogue.quotas.of(tenant);
      await withinLimits(c, { kind: 'tenant', tenant, quota }, null, next);
    }
  });
  return { security: [...uploader.security, { signature: [] }], middleware: check };
}
