import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectPath } from '../../cli/root.ts';

/** The package as `npm pack` makes it, in a project of somebody else. */

const run = promisify(execFile);
const compiler = projectPath('client', 'node_modules', 'typescript', 'bin', 'tsc');
const PROGRAM = `import { ApiError, createClient } from 'pdora-client';
const client = createClient({ url: 'http://service', key: 'k', fetch: async () => Response.json({ code: 'not_found' }, { status: 404 }) });
try {
  const { data } = await client.api.GET('/v1/adapters/{ref}', { params: { path: { ref: 'a' } } });
  const channels: string[] | undefined = data?.channels;
  console.log(channels);
} catch (error) {
  console.log(error instanceof ApiError && error.code);
}
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-client-'));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'pdora-client'), { recursive: true });
  await cp(projectPath('client', 'package.json'), join(modules, 'pdora-client', 'package.json'));
  for (const name of ['openapi-fetch', 'openapi-typescript-helpers']) {
    await symlink(projectPath('node_modules', name), join(modules, name));
  }
  const out = join(modules, 'pdora-client', 'dist');
  await run(process.execPath, [compiler, '-p', projectPath('client', 'tsconfig.build.json'), '--outDir', out]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('compiles strictly and runs', async () => {
  const main = join(folder, 'main.ts');
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(main, PROGRAM);
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom'];
  await run(process.execPath, [compiler, ...options, main]);
  const { stdout } = await run(process.execPath, [join(folder, 'main.js')]);
  expect(stdout).toBe('not_found\n');
});
