import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Gate } from './gate.ts';
import { sha256Hex } from './sha256.ts';

const HEX = /^[0-9a-f]{64}$/;
const UNFINISHED = /^[0-9a-f]{64}\.[0-9a-f-]{36}\.part$/;

/**
 * Files named by their SHA-256 in one folder, bounded in bytes; what was used longest ago goes first. A file is written
 * under another name and then renamed, and is read only as what its name says: a damaged one is removed and counts as
 * absent.
 */
export class DiskCache {
  readonly #folder: string;
  readonly #capacityBytes: number;
  /** Bytes by name, in order of last use. */
  readonly #sizes = new Map<string, number>();
  /** One write at a time, so that the room made for it is still there. */
  readonly #writing = new Gate(1);

  private constructor(folder: string, capacityBytes: number) {
    this.#folder = folder;
    this.#capacityBytes = capacityBytes;
  }

  /** Opens the folder, made where it is missing, with what an earlier run left there; unfinished writes are removed. */
  static async open(folder: string, capacityBytes: number): Promise<DiskCache> {
    await mkdir(folder, { recursive: true });
    const cache = new DiskCache(folder, capacityBytes);
    const found: { name: string; size: number; usedMs: number }[] = [];
    for (const name of await readdir(folder)) {
      if (UNFINISHED.test(name)) await rm(join(folder, name), { force: true });
      if (!HEX.test(name)) continue;
      const { size, mtimeMs } = await stat(join(folder, name));
      found.push({ name, size, usedMs: mtimeMs });
    }
    for (const { name, size } of found.toSorted((a, b) => a.usedMs - b.usedMs)) cache.#sizes.set(name, size);
    await cache.#makeRoom(0);
    return cache;
  }

  get bytes(): number {
    let bytes = 0;
    for (const size of this.#sizes.values()) bytes += size;
    return bytes;
  }

  /** The bytes whose SHA-256 is `hex`, or null where they are not here whole. */
  async read(hex: string): Promise<Uint8Array | null> {
    const path = this.#path(hex);
    const bytes = await readFile(path).catch(absent);
    if (bytes === null) {
      this.#sizes.delete(hex);
      return null;
    }
    if ((await sha256Hex([bytes])) !== hex) {
      await this.#remove(hex);
      return null;
    }
    // The order of use outlives the process in the file's own times; another process may have removed it meanwhile.
    const now = new Date();
    await utimes(path, now, now).catch(absent);
    this.#sizes.delete(hex);
    this.#sizes.set(hex, bytes.byteLength);
    return bytes;
  }

  /** Keeps bytes whose SHA-256 the caller has checked; what is larger than the whole cache is not kept. */
  async write(hex: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(hex);
    if (bytes.byteLength > this.#capacityBytes) return;
    await this.#writing.run(() => this.#store(hex, path, bytes));
  }

  async #store(hex: string, path: string, bytes: Uint8Array): Promise<void> {
    await this.#makeRoom(bytes.byteLength);
    const unfinished = `${path}.${randomUUID()}.part`;
    try {
      await writeFile(unfinished, bytes, { flag: 'wx' });
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    this.#sizes.delete(hex);
    this.#sizes.set(hex, bytes.byteLength);
  }

  async #makeRoom(bytes: number): Promise<void> {
    for (const oldest of this.#sizes.keys()) {
      if (this.bytes + bytes <= this.#capacityBytes) return;
      await this.#remove(oldest);
    }
  }

  async #remove(hex: string): Promise<void> {
    this.#sizes.delete(hex);
    await rm(this.#path(hex), { force: true });
  }

  #path(hex: string): string {
    if (!HEX.test(hex)) throw new RangeError('a file of the cache is named by 64 hex digits');
    return join(this.#folder, hex);
  }
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
