import type { Command } from 'commander';
import { Client } from './client.ts';
import { usage } from './failure.ts';

/** Gives a command `--url` and `--key`. */
export function withConnection(command: Command): Command {
  return command
    .option('--url <url>', 'address of the service (PDORA_URL)')
    .option('--key <key>', 'API key (PDORA_KEY)');
}

export interface ConnectionOptions {
  readonly url?: string;
  readonly key?: string;
}

/** The client that options or, without them, the environment describe; wrong usage where no address or key is given. */
export function connect({ url, key }: ConnectionOptions, env: NodeJS.ProcessEnv = process.env): Client {
  const address = url ?? env['PDORA_URL'];
  const secret = key ?? env['PDORA_KEY'];
  if (!address) throw usage('the address of the service is missing: give --url or set PDORA_URL');
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw usage(`the address of the service is no http URL: ${address}`);
  }
  if (!secret) throw usage('the API key is missing: give --key or set PDORA_KEY');
  if (!/^[\x21-\x7e]+$/.test(secret)) throw usage('the API key holds characters that no key has');
  return new Client(address, secret);
}
