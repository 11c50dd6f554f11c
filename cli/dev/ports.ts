import { once } from 'node:events';
import { createServer } from 'node:net';
import { CliError } from '../failure.ts';

const HOST = '127.0.0.1';

/** Throws where a port is taken, naming the setting that chooses another. */
export async function checkFree(port: number, setting: string): Promise<void> {
  await listenOnce(port).catch(() => {
    throw new CliError('port_in_use', `port ${port} is in use: choose another with ${setting}`);
  });
}

/** Ports nobody listens on, each another. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, HOST), 'listening');
      const address = server.address();
      return address === null || typeof address === 'string' ? 0 : address.port;
    }),
  );
  await Promise.all(servers.map(async (server) => await once(server.close(), 'close')));
  return ports;
}

async function listenOnce(port: number): Promise<void> {
  const server = createServer();
  await once(server.listen(port, HOST), 'listening');
  await once(server.close(), 'close');
}
