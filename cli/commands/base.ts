import type { Command } from 'commander';
import { baseSchema } from '../../schemas/api.ts';
import { type Client, readJson } from '../client.ts';
import { type ConnectionOptions, connect, withConnection } from '../connection.ts';
import { fileBody, reprDigest, sha256Hex } from '../files.ts';
import { bytes, print, printJson, table } from '../print.ts';
import { progressBar } from '../progress.ts';
import { addBaseCheck } from './base-check.ts';

/** `pdora base check|push|list`. */
export function addBase(program: Command): void {
  const base = program.command('base').description('base files, and the bases of a service');
  addBaseCheck(base);

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
  const body = await fileBody(file);
  const bar = progressBar('upload', body.size);
  try {
    const reply = await client.send('/v1/bases', {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'repr-digest': reprDigest(await sha256Hex(file)) },
      body,
      onSent: (sent) => bar.update(sent),
    });
    return await readJson(reply, baseSchema);
  } finally {
    bar.stop();
  }
}
