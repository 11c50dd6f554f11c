import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { projectPath } from '../../../cli/root.ts';

/** The steps of docs/deploy.md against the database and the bucket of a local edge, by wrangler's own commands. */

const WRANGLER = projectPath('node_modules', 'wrangler', 'bin', 'wrangler.js');
const rowsSchema = z.tuple([z.object({ results: z.array(z.object({ digest: z.string() })) })]);

/** Writes `database.sql` and the files of the bucket, `blobs/<sha256>`, into a folder. The edge goes on meanwhile. */
export async function backUp(state: string, folder: string): Promise<void> {
  await mkdir(join(folder, 'blobs'), { recursive: true });
  await inProject(folder, state, ['d1', 'export', 'DB', '--local', '--output', join(folder, 'database.sql')]);
  const query = ['d1', 'execute', 'DB', '--local', '--persist-to', state, '--json'];
  const files = await wrangler([...query, '--command', 'SELECT digest FROM files']);
  const [{ results }] = rowsSchema.parse(JSON.parse(files));
  for (const { digest } of results) {
    const hex = digest.replace('sha256:', '');
    const object = ['r2', 'object', 'get', `pdora-serve/blobs/${hex}`, '--local', '--persist-to', state];
    await wrangler([...object, '--file', join(folder, 'blobs', hex)]);
  }
}

/** Puts what a backup has in the place of all that a new edge's state has: the files first, then the database. */
export async function restore(folder: string, state: string): Promise<void> {
  await rm(state, { recursive: true, force: true });
  for (const hex of await readdir(join(folder, 'blobs'))) {
    const object = ['r2', 'object', 'put', `pdora-serve/blobs/${hex}`, '--local', '--persist-to', state];
    await wrangler([...object, '--file', join(folder, 'blobs', hex)]);
  }
  const execute = ['d1', 'execute', 'DB', '--local', '--persist-to', state];
  await wrangler([...execute, '--file', join(folder, 'database.sql')]);
}

/** What `wrangler d1 migrations list` says of a state. */
export async function migrationsLeft(state: string): Promise<string> {
  return await wrangler(['d1', 'migrations', 'list', 'DB', '--local', '--persist-to', state]);
}

/** For the one command that takes no other state than that of a project's own folder. */
async function inProject(folder: string, state: string, args: readonly string[]): Promise<void> {
  const project = join(folder, 'project');
  await mkdir(join(project, '.wrangler'), { recursive: true });
  await copyFile(projectPath('wrangler.toml'), join(project, 'wrangler.toml'));
  await symlink(state, join(project, '.wrangler', 'state'));
  await wrangler(args, project);
}

async function wrangler(args: readonly string[], cwd = projectPath()): Promise<string> {
  const env = { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' };
  return (await promisify(execFile)(process.execPath, [WRANGLER, ...args], { cwd, env })).stdout;
}
