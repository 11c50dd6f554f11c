import { env } from 'cloudflare:workers';
import { vi } from 'vitest';

/** Every statement that the Worker prepares while `work` runs, each once. */
export async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  return [...new Set(await preparedBy(work))];
}

/** As they were prepared, one after another. */
export async function preparedBy(work: () => Promise<unknown>): Promise<string[]> {
  const session: D1DatabaseSession = Object.getPrototypeOf(env.DB.withSession());
  const prepare = vi.spyOn(session, 'prepare');
  try {
    await work();
    return prepare.mock.calls.map(([sql]) => sql.replaceAll(/\s+/g, ' '));
  } finally {
    prepare.mockRestore();
  }
}

/** The lines of the plan by which SQLite would run a statement. */
export async function planOf(sql: string): Promise<string[]> {
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...Array.from({ length: placeholders(sql) }, () => null))
    .all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

/** Those lines of a plan that cost by the size of a table, and those that sort what no index has in order. */
export function costly(plan: readonly string[]): string[] {
  const made = plan.flatMap((line) => /^(?:CO-ROUTINE|MATERIALIZE) (.+)$/.exec(line)?.[1] ?? []);
  return plan.filter((line) => {
    const scanned = /^SCAN (?!CONSTANT ROW$)(\S+)/.exec(line)?.[1];
    return (scanned !== undefined && !made.includes(scanned)) || /TEMP B-TREE|AUTOMATIC/.test(line);
  });
}

function placeholders(sql: string): number {
  const numbered = [...sql.matchAll(/\?([0-9]+)/g)].map(([, number]) => Number(number));
  return Math.max(0, ...numbered, [...sql.matchAll(/\?(?![0-9])/g)].length);
}
