import { unstable_startWorker } from 'wrangler';
import { projectPath } from '../root.ts';

/** The edge as a local program: workerd with its own D1 and R2 in PDORA_EDGE_STATE, its migrations applied. */

const CRON_MS = 60_000;

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

// Nothing fires crons on one's own machine; workerd takes them at this path.
const cron = new URL('/cdn-cgi/handler/scheduled', url);
setInterval(() => {
  fetch(cron).catch((error: unknown) => process.stderr.write(`cron: ${String(error)}\n`));
}, CRON_MS);
