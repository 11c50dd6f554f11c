import {
  accessSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../schemas/errors.ts';

/** The memory of Linux as a folder; containers often have little of it. */
const MEMORY_FOLDER = '/dev/shm';
/** Below what one read or write may take. */
const PIECE_BYTES = 2 ** 30;
/**
 * Up to here the thread does it in one go, in a few milliseconds: beside windows, each step of a file waits for the next
 * moment between two of them.
 */
const AT_ONCE_BYTES = 2 ** 24;
const RETRY_AFTER_SECONDS = 2;

/**
 * Volumes and what is decided of them go between a host and its child as files, best in memory: a pipe of hundreds of
 * megabytes would stand still while a window runs, for neither end of it is served then, where a file is read in one go
 * beside it.
 */
export class Exchange {
  readonly directory: string;

  /** In memory where it has room for `bytes`, else where temporary files are. */
  constructor(bytes: number) {
    this.directory = mkdtempSync(join(hasRoom(MEMORY_FOLDER, bytes) ? MEMORY_FOLDER : tmpdir(), 'pdora-exchange-'));
  }

  /** Where the volume of a run lies, and where what is decided of it will. */
  paths(id: number): { readonly volume: string; readonly decided: string } {
    return { volume: join(this.directory, `${id}.volume`), decided: join(this.directory, `${id}.decided`) };
  }

  async forget(id: number): Promise<void> {
    await Promise.all(Object.values(this.paths(id)).map((path) => rm(path, { force: true })));
  }

  async removeAll(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/**
 * Writes values to a new file that this user alone may read. Throws `runner_busy` where there is no room for it; what was
 * written then is for the caller to remove.
 */
export async function writeValues(path: string, values: ArrayBufferView): Promise<void> {
  try {
    const bytes = bytesOf(values);
    if (bytes.length <= AT_ONCE_BYTES) writeAtOnce(path, bytes);
    else await write(path, bytes);
  } catch (error) {
    if (!isFull(error)) throw error;
    const message = 'The runner has no room to hand a volume to its network just now.';
    throw new ServiceError('runner_busy', message, { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      at += (await file.write(piece, 0, piece.length)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}

function writeAtOnce(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

/** Fills an array from a file that holds as much, and removes the file. */
export async function takeValues<T extends ArrayBufferView>(path: string, values: T): Promise<T> {
  const bytes = bytesOf(values);
  if (bytes.length <= AT_ONCE_BYTES) {
    readAtOnce(path, bytes);
    rmSync(path, { force: true });
  } else {
    await read(path, bytes);
    await rm(path, { force: true });
  }
  return values;
}

async function read(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      at += checked((await file.read(piece, 0, piece.length)).bytesRead, at, bytes);
    }
  } finally {
    await file.close();
  }
}

function readAtOnce(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      at += checked(readSync(file, bytes, at, bytes.length - at, null), at, bytes);
    }
  } finally {
    closeSync(file);
  }
}

function checked(bytesRead: number, at: number, bytes: Uint8Array): number {
  if (bytesRead === 0) throw new Error(`expected ${bytes.length} bytes, found ${at}`);
  return bytesRead;
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function hasRoom(folder: string, bytes: number): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes;
  } catch {
    return false;
  }
}
