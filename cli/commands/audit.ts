import type { Command } from 'commander';
import type { z } from 'zod';
import { auditEntrySchema } from '../../schemas/api-audit.ts';
import { PAGE_MAX_ITEMS } from '../../schemas/limits.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { wholeNumber } from '../failure.ts';
import { print, printJson, table } from '../print.ts';

interface Options extends ConnectionOptions {
  tenant?: string;
  limit: number;
  json?: true;
}

type Line = z.infer<typeof auditEntrySchema>;

const LIMIT_DEFAULT = 50;

/** `pdora audit`. */
export function addAudit(program: Command): void {
  withConnection(
    program
      .command('audit')
      .description('who changed what and who segmented, the newest first (admin key, or one with tenant:admin)')
      .option('--tenant <tenant>', 'of one tenant (admin key; without it, of all)')
      .option('--limit <lines>', 'at most so many lines', wholeNumber(1), LIMIT_DEFAULT)
      .option('--json', 'as JSON'),
  ).action(async (options: Options) => {
    const found = await newest(options);
    if (options.json) printJson(found);
    else print(table([['time', 'tenant', 'actor', 'action', 'subject', 'voxels', 'outcome'], ...found.map(rowOf)]));
  });
}

async function newest({ tenant, limit, ...connection }: Options): Promise<Line[]> {
  const query = { tenant, limit: Math.min(limit, PAGE_MAX_ITEMS) };
  const found: Line[] = [];
  for await (const line of connect(connection).pages('/v1/audit', auditEntrySchema, query)) {
    found.push(line);
    if (found.length === limit) break;
  }
  return found;
}

function rowOf({ at, tenant, actor, action, subject, voxels, outcome }: Line): string[] {
  return [at, tenant ?? '-', actor, action, subject, voxels === null ? '-' : String(voxels), outcome];
}
