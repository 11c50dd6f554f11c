import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { keyCreatedSchema, keySchema, SCOPES, type Scope } from '../../schemas/api.ts';
import { KEY_OVERLAP_DEFAULT_SECONDS, KEY_OVERLAP_MAX_SECONDS } from '../../schemas/limits.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { wholeNumber } from '../failure.ts';
import { print, printJson, table } from '../print.ts';

interface CreateOptions extends ConnectionOptions {
  scope: Scope[];
  name: string;
  expires?: string;
  json?: true;
}

/** `pdora key create|list|rotate|revoke`. */
export function addKey(program: Command): void {
  const key = program.command('key').description('keys of a tenant (admin key, or one with tenant:admin)');

  withConnection(
    key
      .command('create')
      .description('make a key; it is shown this once')
      .argument('<tenant>')
      .addOption(new Option('--scope <scope...>', 'what it may do').choices(SCOPES).makeOptionMandatory())
      .option('--name <name>', 'a name to know it by', 'cli')
      .option('--expires <time>', 'when it stops working, ISO 8601', instant)
      .option('--json', 'as JSON'),
  ).action(async (tenant: string, options: CreateOptions) => {
    const expires = options.expires === undefined ? {} : { expires_at: options.expires };
    const body = { name: options.name, scopes: [...new Set(options.scope)], ...expires };
    const made = await connect(options).json('POST', keysPath(tenant), keyCreatedSchema, {}, body);
    showMade(made, options);
  });

  withConnection(
    key
      .command('list')
      .description('the keys of a tenant, without the secrets')
      .argument('<tenant>')
      .option('--json', 'as JSON'),
  ).action(async (tenant: string, options: ConnectionOptions & { json?: true }) => {
    const found = await Array.fromAsync(connect(options).pages(keysPath(tenant), keySchema));
    if (options.json) printJson(found);
    else {
      const rows = found.map((k) => [k.id, k.name, k.scopes.join(' '), k.created_at, k.expires_at ?? 'never']);
      print(table([['id', 'name', 'scopes', 'created', 'expires'], ...rows]));
    }
  });

  withConnection(
    key
      .command('rotate')
      .description('replace a key by another that may do the same; it is shown this once')
      .argument('<tenant>')
      .argument('<id>')
      .option(
        '--overlap <seconds>',
        'for how long the old one still works',
        wholeNumber(0, KEY_OVERLAP_MAX_SECONDS),
        KEY_OVERLAP_DEFAULT_SECONDS,
      )
      .option('--json', 'as JSON'),
  ).action(async (tenant: string, id: string, options: ConnectionOptions & { overlap: number; json?: true }) => {
    const path = `${keysPath(tenant)}/${encodeURIComponent(id)}/rotate`;
    const body = { overlap_seconds: options.overlap };
    showMade(await connect(options).json('POST', path, keyCreatedSchema, {}, body), options);
  });

  withConnection(key.command('revoke').description('end a key at once').argument('<tenant>').argument('<id>')).action(
    async (tenant: string, id: string, options: ConnectionOptions) => {
      await connect(options).remove(`${keysPath(tenant)}/${encodeURIComponent(id)}`);
      print(`revoked ${id}`);
    },
  );
}

function showMade(made: z.infer<typeof keyCreatedSchema>, options: { readonly json?: true }): void {
  if (options.json) printJson(made);
  else
    print(
      table([
        ['id', made.id],
        ['key', made.key],
        ['scopes', made.scopes.join(' ')],
        ['expires', made.expires_at ?? 'never'],
      ]),
    );
}

function keysPath(tenant: string): string {
  return `/v1/tenants/${encodeURIComponent(tenant)}/keys`;
}

function instant(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('expected a time such as 2027-01-31T12:00:00Z');
  return time.toISOString();
}
