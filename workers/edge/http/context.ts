import type { Context } from 'hono';
import type { Ports } from '../ports.ts';
import type { Principal } from '../principal.ts';

/** What the middleware leaves for the routes. `principal` is there on every route that needs a key. */
export interface EdgeEnv {
  Bindings: Env;
  Variables: { requestId: string; ports: Ports; principal: Principal };
}

export type EdgeContext = Context<EdgeEnv>;
