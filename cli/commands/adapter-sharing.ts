import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { adapterSchema } from '../../schemas/api.ts';
import { aliasSchema, EVERYONE } from '../../schemas/api-sharing.ts';
import { isAliasName, NAME_PATTERN } from '../../schemas/names.ts';
import type { Client } from '../client.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { usage, wholeNumber } from '../failure.ts';
import { print } from '../print.ts';

/** There must be no such alias. */
const NOWHERE = 'none';

interface AliasOptions extends ConnectionOptions {
  expected?: number | typeof NOWHERE;
  delete?: true;
}

/** `pdora adapter alias` and `grant`. */
export function addAdapterSharing(adapter: Command): void {
  withConnection(
    adapter
      .command('alias')
      .description('point an alias at a version, or delete it')
      .argument('<name>', 'name or tenant/name', adapterName)
      .argument('<alias>', 'a name with a letter, such as stable', aliasName)
      .argument('[version]', 'a ready version', wholeNumber(1))
      .option('--expected <version>', 'where it must be now, a version or none (default: where it is found)', place)
      .option('--delete', 'delete the alias'),
  ).action(async (name: string, alias: string, version: number | undefined, options: AliasOptions) => {
    if ((version === undefined) !== (options.delete === true)) throw usage('alias takes either a version or --delete');
    const client = connect(options);
    const path = `${pathOf(name)}/aliases/${alias}`;
    if (version === undefined) {
      if (options.expected === NOWHERE) throw usage('an alias that is nowhere cannot be deleted');
      await client.remove(path, { expected: options.expected });
      print(`deleted ${name}@${alias}`);
      return;
    }
    const at = options.expected ?? (await placeOf(client, name, alias));
    const move = { version, expected: at === NOWHERE ? null : at };
    const moved = await client.json('PUT', path, aliasSchema, {}, move);
    print(`${moved.adapter}@${moved.alias} -> ${moved.version}`);
  });

  withConnection(
    adapter
      .command('grant')
      .description('let another tenant use an adapter, or withdraw that')
      .argument('<name>', 'name or tenant/name', adapterName)
      .argument('<tenant>', `a tenant, or '${EVERYONE}' for everyone`, grantee)
      .option('--withdraw', 'end the grant'),
  ).action(async (name: string, tenant: string, options: ConnectionOptions & { withdraw?: true }) => {
    const path = `${pathOf(name)}/grants/${encodeURIComponent(tenant)}`;
    const method = options.withdraw ? 'DELETE' : 'PUT';
    await connect(options).send(path, { method });
    print(options.withdraw ? `withdrew ${name} from ${tenant}` : `granted ${name} to ${tenant}`);
  });
}

async function placeOf(client: Client, name: string, alias: string): Promise<number | typeof NOWHERE> {
  const { aliases } = await client.json('GET', pathOf(name), adapterSchema);
  return aliases[alias] ?? NOWHERE;
}

function pathOf(name: string): string {
  return `/v1/adapters/${encodeURIComponent(name)}`;
}

function adapterName(text: string): string {
  const parts = text.split('/');
  if (parts.length > 2 || !parts.every((part) => NAME_PATTERN.test(part))) {
    throw new InvalidArgumentError('expected name or tenant/name');
  }
  return text;
}

function aliasName(text: string): string {
  if (!isAliasName(text)) throw new InvalidArgumentError('expected a name with a letter, other than latest');
  return text;
}

function grantee(text: string): string {
  if (text !== EVERYONE && !NAME_PATTERN.test(text))
    throw new InvalidArgumentError(`expected a tenant, or '${EVERYONE}'`);
  return text;
}

function place(text: string): number | typeof NOWHERE {
  return text === NOWHERE ? NOWHERE : wholeNumber(1)(text);
}
