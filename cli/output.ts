import { randomUUID } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import { rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError } from './failure.ts';

/** Half-written files of this process; `removeUnfinished` clears them when it is told to stop. */
const unfinished = new Set<string>();

/** Throws where the folder of a file to be written is missing: found out before any work is done. */
export async function checkOutputFolder(path: string): Promise<void> {
  const folder = dirname(path);
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory())
    throw new CliError('no_such_folder', `the folder of the output file does not exist: ${folder}`);
  const target = await stat(path).catch(() => undefined);
  if (target?.isDirectory()) throw new CliError('is_a_folder', `the output file is a folder: ${path}`);
}

/** Writes a whole file or nothing: into a file beside it, which takes its name when it is complete. */
export async function writeAtomically(
  path: string,
  content: Uint8Array | ReadableStream<Uint8Array>,
  mode = 0o666,
): Promise<void> {
  const part = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.part`);
  unfinished.add(part);
  try {
    if (content instanceof Uint8Array) await writeFile(part, content, { mode });
    else await pipeline(Readable.fromWeb(content), createWriteStream(part, { mode }));
    await rename(part, path);
  } finally {
    rmSync(part, { force: true });
    unfinished.delete(part);
  }
}

/** Removes what is half written; for the moment a signal ends the process. */
export function removeUnfinished(): void {
  for (const part of unfinished) rmSync(part, { force: true });
  unfinished.clear();
}
