import { env } from 'cloudflare:workers';

/** Every row of every table that the migrations make, by table. */
export async function everyRow(): Promise<Record<string, Record<string, unknown>[]>> {
  const { results: tables } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_cf%'",
  ).all<{ name: string }>();
  const rows: Record<string, Record<string, unknown>[]> = {};
  for (const { name } of tables) {
    if (name === 'd1_migrations') continue;
    rows[name] = (await env.DB.prepare(`SELECT * FROM "${name}"`).all()).results;
  }
  if (Object.keys(rows).length < 10) throw new Error('the tables were not found');
  return rows;
}

/** The key of every object of the bucket. */
export async function everyObject(): Promise<string[]> {
  const { objects, truncated } = await env.BLOBS.list();
  if (truncated) throw new Error('more objects than one list has');
  return objects.map(({ key }) => key).toSorted();
}
