import type { Command } from 'commander';
import { versionCreatedSchema } from '../../schemas/api.ts';
import { parseRef } from '../../schemas/names.ts';
import { checkAdapterFile } from '../../schemas/rules.ts';
import { type Client, readJson } from '../client.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { CliError, usage } from '../failure.ts';
import { checkHeaderOf } from '../model-file.ts';
import { print, table } from '../print.ts';
import { pushFile } from '../push-file.ts';
import { waitUntilReady } from '../wait.ts';

interface Options extends ConnectionOptions {
  name?: string;
  wait?: true;
}

/** `pdora adapter push`: uploads a file as the next version of an adapter. */
export function addAdapterPush(adapter: Command): void {
  withConnection(
    adapter
      .command('push')
      .description('upload an adapter file as a new version')
      .argument('<file>')
      .option('--name <name>', "the adapter's name (else the one in the file); tenant/name with the admin key")
      .option('--wait', 'until it is ready or rejected'),
  ).action(async (file: string, options: Options) => {
    const client = connect(options);
    const name = options.name ?? (await nameIn(file));
    const ref = parseRef(name);
    if (!ref.ok || ref.value.kind !== 'name' || name.includes('@')) throw usage(`this is no adapter's name: ${name}`);
    const pushed = await pushAdapter(client, file, name);
    if (options.wait) await waitUntilReady(client, pushed);
    print(
      table([
        ['adapter', pushed.adapter],
        ['version', String(pushed.version)],
        ['digest', pushed.digest],
        ['status', options.wait ? 'ready' : pushed.status],
      ]),
    );
  });
}

async function nameIn(file: string): Promise<string> {
  const checked = await checkHeaderOf(file, (header, size) => checkAdapterFile(header, size, null));
  if (checked.ok) return checked.value.manifest.name;
  throw usage('the name cannot be read from the file, which is not valid: give --name, or see `pdora adapter check`');
}

/** Uploads a version and makes sure that the service took the very bytes of the file. */
export async function pushAdapter(client: Client, file: string, name: string) {
  const { reply, hex } = await pushFile(client, `/v1/adapters/${encodeURIComponent(name)}/versions`, file);
  const created = await readJson(reply, versionCreatedSchema);
  if (created.digest === `sha256:${hex}`) return created;
  throw new CliError('bad_reply', `the service answered with digest ${created.digest}, the file has sha256:${hex}`);
}
