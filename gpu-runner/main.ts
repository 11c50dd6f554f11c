import { pino } from 'pino';
import { startRunner } from './server/start.ts';
import { readSettings, type Settings } from './settings.ts';

/** The runner as a process: settings from the environment, one line of JSON an event on stdout. */
async function main(settings: Settings): Promise<void> {
  const log = pino({ level: settings.logLevel, base: null });
  const runner = await startRunner(settings, log);

  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    void runner.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  try {
    await runner.ready;
  } catch (error) {
    log.fatal({ event: 'unable', err: error });
    await runner.kill();
    process.exit(1);
  }
}

let settings: Settings;
try {
  settings = readSettings(process.env);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}
await main(settings);
