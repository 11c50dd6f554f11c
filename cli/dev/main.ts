import { describeFailure } from '../failure.ts';
import { print } from '../print.ts';
import { watchNpm } from './parent.ts';
import { keepSecrets } from './secrets.ts';
import { readDevSettings } from './settings.ts';
import { startSystem } from './system.ts';

/** `npm run dev`: edge and runners on this machine until stopped. */
async function main(): Promise<void> {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());
  watchNpm(() => stopped.abort());

  const settings = readDevSettings(process.env);
  const { secrets, file, adminKeyIsNew } = await keepSecrets(settings.state, settings.adminKey);
  const system = await startSystem({ ...settings, secrets, log: print, signal: stopped.signal });
  print(`ready: ${system.url} (base ${system.baseDigest})`);
  if (adminKeyIsNew) print(`admin key, shown this once and kept in ${file}: ${secrets.adminKey}`);
  else if (settings.adminKey === null) print(`admin key: as kept in ${file}`);

  await aborted(stopped.signal);
  print('stopping');
  await system.stop();
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  // Something must hold the event loop open meanwhile.
  const hold = setInterval(() => undefined, 2 ** 30);
  await promise;
  clearInterval(hold);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error && error.name === 'AbortError')) {
    const { line, exitStatus } = describeFailure(error);
    process.stderr.write(`${line}\n`);
    process.exitCode = exitStatus;
  }
}
