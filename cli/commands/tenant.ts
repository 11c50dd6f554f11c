import type { Command } from 'commander';
import { tenantSchema } from '../../schemas/api.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { print, printJson, table } from '../print.ts';
import { addTenantQuota } from './tenant-quota.ts';

/** `pdora tenant create|list|quota|delete`. */
export function addTenant(program: Command): void {
  const tenant = program.command('tenant').description('tenants of a service (admin key)');

  withConnection(tenant.command('create').description('make a tenant').argument('<id>')).action(
    async (id: string, options: ConnectionOptions) => {
      const made = await connect(options).json('POST', '/v1/tenants', tenantSchema, {}, { id });
      print(`created ${made.id}`);
    },
  );

  withConnection(tenant.command('list').description('all tenants').option('--json', 'as JSON')).action(
    async (options: ConnectionOptions & { json?: true }) => {
      const found = await Array.fromAsync(connect(options).pages('/v1/tenants', tenantSchema));
      if (options.json) printJson(found);
      else print(table([['tenant', 'created'], ...found.map((t) => [t.id, t.created_at])]));
    },
  );

  addTenantQuota(tenant);

  withConnection(
    tenant.command('delete').description('delete a tenant and all that is its own').argument('<id>'),
  ).action(async (id: string, options: ConnectionOptions) => {
    await connect(options).remove(`/v1/tenants/${encodeURIComponent(id)}`);
    print(`deleted ${id}`);
  });
}
