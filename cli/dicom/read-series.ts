import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../failure.ts';

/** DICOM PS3.10, section 7.1: after 128 bytes of preamble. */
const MAGIC = { at: 128, text: 'DICM' };

export interface SeriesFiles {
  readonly files: Uint8Array[];
  /** Of the folder's files, those that are no DICOM, as viewers and disks leave them. */
  readonly others: number;
}

/** The DICOM files of a folder and of those in it. Throws where there is none. */
export async function readSeriesFolder(folder: string): Promise<SeriesFiles> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw new CliError('no_such_folder', `no such folder: ${folder}`);
  }
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: Uint8Array[] = [];
  // One after the other: a series has more files than a process may open at once.
  for (const path of paths) if (await isDicom(path)) files.push(await readFile(path));
  if (files.length === 0) throw new CliError('no_such_file', `there are no DICOM files in ${folder}`);
  return { files, others: paths.length - files.length };
}

async function isDicom(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(MAGIC.text.length), 0, MAGIC.text.length, MAGIC.at);
    // A folder of media has an index that is DICOM, and no image.
    return buffer.toString('latin1') === MAGIC.text && !/(^|[/\\])DICOMDIR$/i.test(path);
  } finally {
    await file.close();
  }
}
