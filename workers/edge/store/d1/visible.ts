import { EVERYONE } from '../../../../schemas/api-sharing.ts';
import type { Viewer } from '../words.ts';

/** A piece of SQL and what it binds, in its order. */
export interface Clause {
  readonly sql: string;
  readonly binds: readonly (string | number | null)[];
}

/** The rule of sharing, in one place. */
export interface Sharing {
  /** Whether the viewer may use the adapter `<table>.tenant`, `<table>.<column>`. */
  readonly mayUse: (viewer: Viewer, table: string, column: 'name' | 'adapter') => Clause;
  /**
   * As `mayUse`, as a table `(tenant, name)` in that order, for lists. Each part comes in order from an index and they are
   * merged as they are read: a page costs by what it shows, not by what there is or may be used.
   */
  readonly visibleAdapters: (viewer: Viewer) => Clause;
}

/** Where the operator does not allow public adapters, a grant to everyone is a grant to nobody. */
export function sharing(publicAdapters: boolean): Sharing {
  const grantees = publicAdapters ? `IN (?, '${EVERYONE}')` : '= ?';
  return {
    mayUse(viewer, table, column) {
      if (viewer.kind === 'operator') return { sql: 'TRUE', binds: [] };
      const granted = `SELECT 1 FROM grants g
        WHERE g.tenant = ${table}.tenant AND g.adapter = ${table}.${column} AND g.grantee ${grantees}`;
      return { sql: `(${table}.tenant = ? OR EXISTS (${granted}))`, binds: [viewer.tenant, viewer.tenant] };
    },
    visibleAdapters(viewer) {
      if (viewer.kind === 'operator') return { sql: 'SELECT tenant, name FROM adapters', binds: [] };
      const everyone = publicAdapters ? `UNION SELECT tenant, adapter FROM grants WHERE grantee = '${EVERYONE}'` : '';
      const sql = `SELECT tenant, name FROM adapters WHERE tenant = ?
        UNION SELECT tenant, adapter FROM grants WHERE grantee = ? ${everyone} ORDER BY 1, 2`;
      return { sql, binds: [viewer.tenant, viewer.tenant] };
    },
  };
}
