import type { Command } from 'commander';
import { adapterSchema, adapterSummarySchema } from '../../schemas/api.ts';
import { parseRef } from '../../schemas/names.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { usage } from '../failure.ts';
import { bytes, print, printJson, table } from '../print.ts';

interface Options extends ConnectionOptions {
  json?: true;
}

/** `pdora adapter list`, `show` and `delete`. */
export function addAdapterCatalogue(adapter: Command): void {
  withConnection(adapter.command('list').description('the adapters a key may use').option('--json', 'as JSON')).action(
    async (options: Options) => {
      const found = await Array.fromAsync(connect(options).pages('/v1/adapters', adapterSummarySchema));
      if (options.json) printJson(found);
      else {
        const rows = found.map((a) => [a.adapter, a.latest === null ? '-' : String(a.latest), a.description]);
        print(table([['adapter', 'latest', 'description'], ...rows]));
      }
    },
  );

  withConnection(
    adapter
      .command('show')
      .description('an adapter with its labels, versions and problems')
      .argument('<ref>', 'name, name@version, tenant/name or sha256:…')
      .option('--json', 'as JSON'),
  ).action(async (ref: string, options: Options) => {
    const client = connect(options);
    const found = await client.json('GET', adapterPath(ref), adapterSchema);
    if (options.json) {
      printJson(found);
      return;
    }
    print(
      table([
        ['adapter', found.adapter],
        ['description', found.description],
        ['version', `${found.version} (${found.status})`],
        ['digest', found.digest],
        ['base', found.base],
        ['channels', found.channels.join(', ')],
        ['labels', found.labels.map((label) => `${label.value} ${label.name}`).join(', ')],
        [
          'aliases',
          Object.entries(found.aliases)
            .map(([alias, version]) => `${alias} -> ${version}`)
            .join(', '),
        ],
      ]),
    );
    print('');
    const rows = found.versions.map((v) => [String(v.version), v.status, bytes(v.size), v.digest, v.created_at]);
    print(table([['version', 'status', 'size', 'digest', 'created'], ...rows]));
    for (const problem of found.problems) print(`${problem.code}  ${problem.path}  ${problem.message}`);
  });

  withConnection(
    adapter
      .command('delete')
      .description('delete one version (name@3) or an adapter with all its versions (name)')
      .argument('<ref>', 'name or name@version'),
  ).action(async (ref: string, options: ConnectionOptions) => {
    await connect(options).remove(deletionPath(ref));
    print(`deleted ${ref}`);
  });
}

function parsed(ref: string) {
  const result = parseRef(ref);
  if (!result.ok) throw usage(`${ref}: ${result.error}`);
  return result.value;
}

function adapterPath(ref: string): string {
  parsed(ref);
  return `/v1/adapters/${encodeURIComponent(ref)}`;
}

function deletionPath(ref: string): string {
  const found = parsed(ref);
  if (found.kind !== 'name' || found.selector.kind === 'alias') throw usage('delete takes name or name@version');
  const owner = found.tenant === undefined ? '' : `${found.tenant}/`;
  const path = `/v1/adapters/${encodeURIComponent(owner + found.name)}`;
  return found.selector.kind === 'version' ? `${path}/versions/${found.selector.version}` : path;
}
