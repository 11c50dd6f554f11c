import type { Viewer } from '../catalogue.ts';

/** A piece of SQL and what it binds, in its order. */
export interface Clause {
  readonly sql: string;
  readonly binds: readonly string[];
}

/** Whether the viewer may use the adapter `<table>.tenant`, `<table>.<column>`: the rule of sharing, in one place. */
export function mayUse(viewer: Viewer, table: string, column: 'name' | 'adapter'): Clause {
  if (viewer.kind === 'operator') return { sql: 'TRUE', binds: [] };
  const granted = `SELECT 1 FROM grants g
    WHERE g.tenant = ${table}.tenant AND g.adapter = ${table}.${column} AND g.grantee IN (?, '*')`;
  return { sql: `(${table}.tenant = ? OR EXISTS (${granted}))`, binds: [viewer.tenant, viewer.tenant] };
}

/**
 * As `mayUse`, as a table `(tenant, name)` in that order, for lists. Each part comes in order from an index and they are
 * merged as they are read: a page costs by what it shows, not by what there is or may be used.
 */
export function visibleAdapters(viewer: Viewer): Clause {
  if (viewer.kind === 'operator') return { sql: 'SELECT tenant, name FROM adapters', binds: [] };
  const sql = `SELECT tenant, name FROM adapters WHERE tenant = ?
    UNION SELECT tenant, adapter FROM grants WHERE grantee = ?
    UNION SELECT tenant, adapter FROM grants WHERE grantee = '*' ORDER BY 1, 2`;
  return { sql, binds: [viewer.tenant, viewer.tenant] };
}
