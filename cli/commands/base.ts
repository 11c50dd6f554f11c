import type { Command } from 'commander';
import { baseSchema } from '../../schemas/api.ts';
import { type Client, readJson } from '../client.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { bytes, print, printJson, table } from '../print.ts';
import { pushFile } from '../push-file.ts';
import { addBaseCheck } from './base-check.ts';
import { addBaseExportOnnx } from './base-export-onnx.ts';

/** `pdora base check|export-onnx|push|list`. */
export function addBase(program: Command): void {
  const base = program.command('base').description('base files, and the bases of a service');
  addBaseCheck(base);
  addBaseExportOnnx(base);

  withConnection(
    base.command('push').description('upload a base, which a runner verifies (admin key)').argument('<file>'),
  ).action(async (file: string, options: ConnectionOptions) => {
    const pushed = await pushBase(connect(options), file);
    print(
      table([
        ['name', pushed.name],
        ['digest', pushed.digest],
        ['status', pushed.status],
      ]),
    );
  });

  withConnection(base.command('list').description('the bases served').option('--json', 'as JSON')).action(
    async (options: ConnectionOptions & { json?: true }) => {
      const found = await Array.fromAsync(connect(options).pages('/v1/bases', baseSchema));
      if (options.json) printJson(found);
      else {
        const rows = found.map((b) => [b.name, b.status, bytes(b.size), b.channels.join(','), b.digest]);
        print(table([['base', 'status', 'size', 'channels', 'digest'], ...rows]));
      }
    },
  );
}

/** Uploads a base file; the same bytes again are no second base. */
export async function pushBase(client: Client, file: string) {
  const { reply } = await pushFile(client, '/v1/bases', file);
  return await readJson(reply, baseSchema);
}
