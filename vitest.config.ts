import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { buildConsole } from './cli/dev/build-console.ts';
import { TallyReporter } from './test/support/tally-reporter.ts';

export default defineConfig({
  test: {
    reporters: ['default', new TallyReporter()],
    projects: [
      { test: { name: 'schemas', include: ['test/schemas/**/*.test.ts'], environment: 'node' } },
      {
        test: {
          name: 'runner',
          include: ['test/runner/**/*.test.ts', 'test/cli/**/*.test.ts', 'test/client/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [cloudflareTest(workerUnderTest)],
        test: {
          name: 'workers',
          include: ['test/workers/**/*.test.ts', 'test/schemas/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});

/** The edge in workerd: its own wrangler.toml with secrets for the tests alone. */
async function workerUnderTest() {
  await buildConsole();
  return {
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      bindings: {
        ADMIN_KEY: 'admin-key-of-the-tests',
        KEY_PEPPER: 'pepper-of-the-tests',
        GRANT_SECRET: 'grant-secret-of-the-tests',
        RUNNER_TOKEN: 'runner-token-of-the-tests',
        CORS_ORIGINS: 'https://viewer.example, http://localhost:5173',
        PUBLIC_ADAPTERS: 'true',
        MIGRATIONS: await readD1Migrations('workers/edge/migrations'),
      },
    },
  };
}
