import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { unstable_readConfig as readConfig } from 'wrangler';
import { z } from 'zod';
import { buildConsole } from '../../cli/dev/build-console.ts';
import { projectPath } from '../../cli/root.ts';
import { BURST_PERIOD_SECONDS, HOUSEKEEPING_CRON } from '../../workers/edge/configured.ts';
import { readSettings } from '../../workers/edge/settings.ts';

const named = z.array(z.object({ binding: z.string() }));

/** What is looked at of a configuration; wrangler gives its type away as `any`. */
const configSchema = z.object({
  vars: z.record(z.string(), z.string()),
  secrets: z.object({ required: z.array(z.string()) }),
  compatibility_flags: z.array(z.string()),
  observability: z.object({ enabled: z.boolean(), redact_query_string: z.boolean() }),
  triggers: z.object({ crons: z.array(z.string()) }),
  assets: z.object({ binding: z.string() }),
  exports: z.record(z.string(), z.object({ type: z.string() })),
  d1_databases: z.array(z.object({ binding: z.string(), migrations_dir: z.string() })),
  r2_buckets: named,
  vpc_networks: named,
  queues: z.object({
    producers: z.array(z.object({ binding: z.string(), queue: z.string() })),
    consumers: z.array(z.object({ queue: z.string() })),
  }),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
  ratelimits: z.array(z.object({ name: z.string(), simple: z.object({ limit: z.number(), period: z.number() }) })),
});

type Config = z.infer<typeof configSchema>;

/** What wrangler makes of wrangler.toml for an environment, which is not always what one reads there. */
function configOf(env?: string): Config {
  const given = { config: projectPath('wrangler.toml'), ...(env === undefined ? {} : { env }) };
  return configSchema.parse(readConfig(given));
}

const environments = [
  ['development', configOf()],
  ['production', configOf('production')],
] as const;

/** The names under which the Worker finds its bindings. */
function bindingsOf(config: Config): string[] {
  return [
    ...Object.keys(config.vars),
    ...config.secrets.required,
    ...config.d1_databases.map(({ binding }) => binding),
    ...config.r2_buckets.map(({ binding }) => binding),
    ...config.queues.producers.map(({ binding }) => binding),
    ...config.durable_objects.bindings.map(({ name }) => name),
    ...config.ratelimits.map(({ name }) => name),
    ...config.vpc_networks.map(({ binding }) => binding),
    config.assets.binding,
  ].toSorted();
}

/** The properties of `Env`, which the Worker's code is checked against. */
async function envOfCode(): Promise<string[]> {
  const types = await readFile(projectPath('workers', 'edge', 'env.d.ts'), 'utf8');
  const body = /interface __BaseEnv_Env \{([^}]*)\}/.exec(types)?.[1] ?? '';
  return [...body.matchAll(/^\s*([A-Z_]+)\??:/gm)].flatMap(([, name]) => name ?? []).toSorted();
}

test('every binding that the code may ask for is there in production, and all but the tunnel in development', async () => {
  const known = await envOfCode();
  expect(known.length).toBeGreaterThan(10);
  expect(bindingsOf(configOf('production'))).toEqual(known);
  expect(bindingsOf(configOf())).toEqual(known.filter((name) => name !== 'RUNNERS'));
});

describe.each(environments)('in %s', (_name, config) => {
  test('the variables are ones the Worker starts with', () => {
    const secrets = Object.fromEntries(config.secrets.required.map((name) => [name, 'a'.repeat(64)]));
    const { runnerUrls, quota } = readSettings({ ...config.vars, ...secrets });
    expect(runnerUrls.length).toBeGreaterThan(0);
    // The binding is to stop floods, and no tenant within its limit.
    const [burst] = config.ratelimits;
    expect(burst?.simple.limit).toBeGreaterThan(quota.requestsPerMinute);
    expect(burst?.simple.period).toBe(BURST_PERIOD_SECONDS);
  });

  test('the crons are the one that keeps house and one that takes up what waits', () => {
    const { crons } = config.triggers;
    expect(crons).toContain(HOUSEKEEPING_CRON);
    expect(crons.filter((cron) => cron !== HOUSEKEEPING_CRON)).toEqual(['* * * * *']);
  });

  test('the queue that is sent to is the one that is read, and the class of the limits is exported', () => {
    const [producer] = config.queues.producers;
    expect(config.queues.consumers.map(({ queue }) => queue)).toEqual([producer?.queue]);
    const classes = config.durable_objects.bindings.map(({ class_name }) => class_name);
    expect(Object.keys(config.exports)).toEqual(classes);
  });

  test('a caller that goes away ends its run, and signatures in query strings stay out of the logs', () => {
    expect(config.compatibility_flags).toContain('enable_request_signal');
    expect(config.observability).toEqual({ enabled: true, redact_query_string: true });
  });

  test('the migrations of its database are there', async () => {
    const [database] = config.d1_databases;
    const names = await readdir(projectPath(database?.migrations_dir ?? 'none'));
    expect(names.filter((name) => name.endsWith('.sql'))).not.toEqual([]);
  });
});

test('the Worker builds for production', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pdora-deploy-'));
  const wrangler = projectPath('node_modules', 'wrangler', 'bin', 'wrangler.js');
  await buildConsole();
  const args = ['deploy', '--dry-run', '--env', 'production', '--outdir', folder];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [wrangler, ...args], {
      cwd: projectPath(),
      env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' },
    });
    expect(stdout).toContain('--dry-run: exiting now.');
    expect(await readdir(folder)).toContain('index.js');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
