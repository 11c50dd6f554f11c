declare namespace Cloudflare {
  /** What vitest.config.ts binds for the tests beside the Worker's own. */
  interface Env {
    MIGRATIONS: import('cloudflare:test').D1Migration[];
  }
}
