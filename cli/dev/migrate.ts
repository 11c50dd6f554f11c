import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CliError } from '../failure.ts';
import { PROJECT_ROOT, projectPath } from '../root.ts';

const WRANGLER = projectPath('node_modules', 'wrangler', 'bin', 'wrangler.js');

/** Brings the D1 database of an edge's state folder up to date; nothing of it leaves the machine. */
export async function migrate(state: string, env: NodeJS.ProcessEnv): Promise<void> {
  const words = ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', state];
  await promisify(execFile)(process.execPath, [WRANGLER, ...words], {
    cwd: PROJECT_ROOT,
    // Without a terminal wrangler asks nothing.
    env: { ...env, CI: '1' },
  }).catch((error: unknown) => {
    const told = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    throw new CliError('migrations', `the edge's database could not be set up: ${told.trim()}`);
  });
}
