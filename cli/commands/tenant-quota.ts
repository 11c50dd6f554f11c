import type { Command } from 'commander';
import type { z } from 'zod';
import { type quotaChangeSchema, quotaSchema } from '../../schemas/api-quotas.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { wholeNumber } from '../failure.ts';
import { print, printJson, table } from '../print.ts';

type Limit = number | 'default';

interface Options extends ConnectionOptions {
  storedBytes?: Limit;
  waitingJobs?: Limit;
  atOnce?: Limit;
  requestsPerMinute?: Limit;
  json?: true;
}

/** `pdora tenant quota`: shows a tenant's limits, and sets those that are given. */
export function addTenantQuota(tenant: Command): void {
  withConnection(
    tenant
      .command('quota')
      .description("show a tenant's limits and usage, or set limits (admin key); `default` takes one back")
      .argument('<id>')
      .option('--stored-bytes <n>', 'bytes it may store', limit(0))
      .option('--waiting-jobs <n>', 'jobs that have not ended', limit(0))
      .option('--at-once <n>', 'segmentations at once', limit(0))
      .option('--requests-per-minute <n>', 'requests a minute', limit(1))
      .option('--json', 'as JSON'),
  ).action(async (id: string, options: Options) => {
    const client = connect(options);
    const path = `/v1/tenants/${encodeURIComponent(id)}/quota`;
    const changes = changesOf(options);
    const shown =
      Object.keys(changes).length === 0
        ? await client.json('GET', path, quotaSchema)
        : await client.json('PUT', path, quotaSchema, {}, changes);
    if (options.json) printJson(shown);
    else print(table(rows(shown)));
  });
}

/** The numbers that were given, null for the default. */
function changesOf(options: Options): z.input<typeof quotaChangeSchema> {
  const given = {
    stored_bytes: options.storedBytes,
    waiting_jobs: options.waitingJobs,
    segmentations_at_once: options.atOnce,
    requests_per_minute: options.requestsPerMinute,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([name, value]) => [name, value === 'default' ? null : value]));
}

function rows({ limits, usage }: z.infer<typeof quotaSchema>): string[][] {
  return [
    ['limit', 'used', 'allowed'],
    ['stored bytes', String(usage.stored_bytes), String(limits.stored_bytes)],
    ['waiting jobs', String(usage.waiting_jobs), String(limits.waiting_jobs)],
    ['segmentations at once', '', String(limits.segmentations_at_once)],
    ['requests a minute', '', String(limits.requests_per_minute)],
  ];
}

function limit(least: number): (text: string) => Limit {
  const number = wholeNumber(least);
  return (text) => (text === 'default' ? text : number(text));
}
