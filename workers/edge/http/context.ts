import type { Context } from 'hono';
import type { Ports } from '../ports.ts';
import type { Principal } from '../principal.ts';
import type { UploadRecord } from '../store/upload-store.ts';

/**
 * What the middleware leaves for the routes. `principal` is there on every route that needs a key, `upload` on the steps
 * of an upload, which a signature may stand for.
 */
export interface EdgeEnv {
  Bindings: Env;
  Variables: { requestId: string; ports: Ports; principal: Principal; upload: UploadRecord };
}

export type EdgeContext = Context<EdgeEnv>;
