import { unstable_startWorker } from 'wrangler';
import { projectPath } from '../root.ts';
import { buildConsole } from './build-console.ts';
import { fireCrons } from './crons.ts';

/** The edge as a local program: workerd with its own D1 and R2 in PDORA_EDGE_STATE, its migrations applied. */

await buildConsole();
const variables = ['ADMIN_KEY', 'KEY_PEPPER', 'GRANT_SECRET', 'RUNNER_TOKEN', 'GPU_RUNNER_URLS'];
const worker = await unstable_startWorker({
  config: projectPath('wrangler.toml'),
  // Naming a file keeps a `.dev.vars` in the project out of it.
  envFiles: ['/dev/null'],
  bindings: Object.fromEntries(
    variables.map((name) => [name, { type: 'secret_text', value: process.env[name] ?? '' }]),
  ),
  dev: {
    server: { hostname: '127.0.0.1', port: Number(process.env['PDORA_EDGE_PORT']) },
    persist: process.env['PDORA_EDGE_STATE'],
    inspector: false,
    watch: false,
    logLevel: 'warn',
  },
});

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    void worker.dispose().finally(() => process.exit(0));
  });
}

await worker.ready;
const url = await worker.url;
process.stdout.write(`listening on ${url.href}\n`);

fireCrons((cron) => {
  // workerd takes them at this path.
  const scheduled = new URL('/cdn-cgi/handler/scheduled', url);
  scheduled.searchParams.set('cron', cron);
  fetch(scheduled).catch((error: unknown) => process.stderr.write(`cron: ${String(error)}\n`));
});
