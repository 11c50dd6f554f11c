import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { projectPath } from '../root.ts';

/** The folder that wrangler.toml names for the Worker's static files. */
export const ASSETS = projectPath('dist', 'assets');

/** Beside the page, as they are: they find each other by their own addresses, and the WASM is fetched only for DICOM. */
const CONVERTER = ['index.jpeg.js', 'worker.jpeg.js', 'dcm2niix.jpeg.js', 'dcm2niix.jpeg.wasm'];
const SWAGGER = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/**
 * Makes all static files of the Worker: the console, bundled, and those of other packages. Writes only what differs, so
 * that systems which start at the same time do not take files away from each other.
 */
export async function buildConsole(folder = ASSETS): Promise<void> {
  const files = new Map<string, Uint8Array>([
    ...(await bundled()),
    ...(await copied('console', projectPath('workers', 'console'), ['index.html', 'icon.svg'])),
    ...(await copied('console/dcm2niix', projectPath('node_modules', '@niivue', 'dcm2niix', 'dist'), CONVERTER)),
    ...(await copied('docs', projectPath('node_modules', 'swagger-ui-dist'), SWAGGER)),
  ]);
  for await (const entry of glob('**/*.*', { cwd: folder })) {
    if (!files.has(entry)) await rm(join(folder, entry), { force: true });
  }
  await Promise.all([...files].map(([path, bytes]) => writeIfNew(join(folder, path), bytes)));
}

async function bundled(): Promise<[string, Uint8Array][]> {
  const out = join(ASSETS, 'console');
  const { outputFiles } = await build({
    entryPoints: { console: projectPath('workers', 'console', 'main.ts') },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2024',
    minify: true,
    // The converter stays where it is asked for, at its own address.
    external: ['/console/*'],
    outdir: out,
    chunkNames: '[name]-[hash]',
    legalComments: 'linked',
    logLevel: 'warning',
    write: false,
  });
  return outputFiles.map(({ path, contents }) => [join('console', relative(out, path)), contents]);
}

async function copied(to: string, from: string, names: readonly string[]): Promise<[string, Uint8Array][]> {
  return Promise.all(
    names.map(async (name): Promise<[string, Uint8Array]> => [join(to, name), await readFile(join(from, name))]),
  );
}

async function writeIfNew(path: string, bytes: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => null);
  if (present?.equals(bytes)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildConsole();
