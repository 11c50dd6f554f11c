import { Hono } from 'hono';
import type { EdgeEnv } from '../http/context.ts';

// `blob:` is what NiiVue reads back of files that it was given, and what a download points at; `data:` its font.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self' data: blob:",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page for people, from our own origin alone; it uses the public API like any other client. */
export const consoleRoutes = new Hono<EdgeEnv>()
  .get('/console', (c) => c.redirect('/console/', 308))
  .get('/console/*', async (c) => {
    const reply = await c.env.ASSETS.fetch(new Request(c.req.url, { headers: c.req.raw.headers }));
    if (reply.status === 404) return c.notFound();
    const headers = new Headers(reply.headers);
    headers.set('content-security-policy', POLICY);
    headers.set('x-content-type-options', 'nosniff');
    headers.set('referrer-policy', 'no-referrer');
    headers.set('cross-origin-opener-policy', 'same-origin');
    return new Response(reply.body, { status: reply.status, headers });
  });
