import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobStore } from '../../../gpu-runner/adapter/blobs.ts';
import { DiskCache } from '../../../gpu-runner/adapter/disk-cache.ts';

function unexpected(error: unknown): void {
  throw error;
}

/** A file of `size` bytes and its name. */
function file(text: string, size = 100): { hex: string; bytes: Uint8Array } {
  const bytes = new Uint8Array(Buffer.alloc(size, text));
  return { hex: createHash('sha256').update(bytes).digest('hex'), bytes };
}

describe('the files on disk', () => {
  const a = file('a');
  const b = file('b');
  const c = file('c');
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pdora-disk-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('gives back what was written, under its digest and nothing else', async () => {
    const disk = await DiskCache.open(folder, 1_000);
    await disk.write(a.hex, a.bytes);
    expect(await disk.read(a.hex)).toEqual(Buffer.from(a.bytes));
    expect(await disk.read(b.hex)).toBeNull();
    expect(await readdir(folder)).toEqual([a.hex]);
  });

  it('outlives the process, and an unfinished write does not', async () => {
    await (await DiskCache.open(folder, 1_000)).write(a.hex, a.bytes);
    await writeFile(join(folder, `${b.hex}.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.part`), b.bytes.subarray(0, 50));
    await writeFile(join(folder, 'notes.txt'), 'not ours');
    const disk = await DiskCache.open(folder, 1_000);
    expect(await disk.read(a.hex)).not.toBeNull();
    expect(disk.bytes).toBe(100);
    expect((await readdir(folder)).toSorted()).toEqual([a.hex, 'notes.txt'].toSorted());
  });

  it.each([
    { fault: 'a changed byte', damage: (path: string) => writeFile(path, b.bytes) },
    { fault: 'a cut', damage: (path: string) => truncate(path, 60) },
    { fault: 'nothing left', damage: (path: string) => truncate(path, 0) },
  ])('removes a damaged file ($fault) and counts it as absent', async ({ damage }) => {
    const disk = await DiskCache.open(folder, 1_000);
    await disk.write(a.hex, a.bytes);
    await damage(join(folder, a.hex));
    expect(await disk.read(a.hex)).toBeNull();
    expect(await readdir(folder)).toEqual([]);
    expect(disk.bytes).toBe(0);
    await disk.write(a.hex, a.bytes);
    expect(await disk.read(a.hex)).not.toBeNull();
  });

  it('takes a file that someone else removed for absent', async () => {
    const disk = await DiskCache.open(folder, 1_000);
    await disk.write(a.hex, a.bytes);
    await rm(join(folder, a.hex));
    expect(await disk.read(a.hex)).toBeNull();
    expect(disk.bytes).toBe(0);
  });

  it('makes room by removing what was used longest ago', async () => {
    const disk = await DiskCache.open(folder, 250);
    await disk.write(a.hex, a.bytes);
    await disk.write(b.hex, b.bytes);
    await disk.read(a.hex);
    await disk.write(c.hex, c.bytes);
    expect((await readdir(folder)).toSorted()).toEqual([a.hex, c.hex].toSorted());
    expect(disk.bytes).toBe(200);
  });

  it('stays in its bound when many write at once', async () => {
    const disk = await DiskCache.open(folder, 250);
    await Promise.all(['d', 'e', 'f', 'g'].map((text) => file(text)).map(({ hex, bytes }) => disk.write(hex, bytes)));
    expect(await readdir(folder)).toHaveLength(2);
    expect(disk.bytes).toBe(200);
  });

  it('remembers the order of use over a restart, and keeps to a smaller bound', async () => {
    const disk = await DiskCache.open(folder, 1_000);
    for (const { hex, bytes } of [a, b, c]) await disk.write(hex, bytes);
    for (const [hex, seconds] of [[a.hex, 3_000] as const, [b.hex, 1_000] as const, [c.hex, 2_000] as const]) {
      await utimes(join(folder, hex), seconds, seconds);
    }
    await DiskCache.open(folder, 200);
    expect((await readdir(folder)).toSorted()).toEqual([a.hex, c.hex].toSorted());
  });

  it('notes a read in the times of the file', async () => {
    const disk = await DiskCache.open(folder, 1_000);
    await disk.write(a.hex, a.bytes);
    await utimes(join(folder, a.hex), 1_000, 1_000);
    await disk.read(a.hex);
    expect((await stat(join(folder, a.hex))).mtimeMs).toBeGreaterThan(1_000_000);
  });

  it('does not keep what is larger than all of it', async () => {
    const disk = await DiskCache.open(folder, 150);
    await disk.write(a.hex, a.bytes);
    await disk.write(b.hex, file('b', 151).bytes);
    expect(await readdir(folder)).toEqual([a.hex]);
  });

  it.each(['../../etc/passwd', '', `${a.hex}/..`, a.hex.toUpperCase()])(
    'takes no name but 64 hex digits: %j',
    async (name) => {
      const disk = await DiskCache.open(folder, 1_000);
      await expect(disk.read(name)).rejects.toThrow(RangeError);
      await expect(disk.write(name, a.bytes)).rejects.toThrow(RangeError);
    },
  );

  describe('over a source', () => {
    const request = { sha256: a.hex, grant: 'grant', maxBytes: 1_000 };
    let fetched: number;
    const source = {
      fetch: async () => {
        fetched += 1;
        return a.bytes;
      },
    };

    beforeEach(() => {
      fetched = 0;
    });

    it('fetches once, and again only what is damaged', async () => {
      const disk = await DiskCache.open(folder, 1_000);
      const blobs = new BlobStore({ source, disk, onDiskFault: unexpected });
      expect((await blobs.read(request)).tier).toBe('cold');
      expect((await blobs.read(request)).tier).toBe('warm');
      expect(fetched).toBe(1);
      await writeFile(join(folder, a.hex), 'damaged');
      expect(await blobs.read(request)).toEqual({ bytes: a.bytes, tier: 'cold' });
      expect(await readFile(join(folder, a.hex))).toEqual(Buffer.from(a.bytes));
      expect(fetched).toBe(2);
    });

    it('serves without a disk, and from the source where the disk fails', async () => {
      const none = new BlobStore({ source, disk: null, onDiskFault: unexpected });
      expect((await none.read(request)).tier).toBe('cold');
      const disk = await DiskCache.open(join(folder, 'gone'), 1_000);
      await rm(join(folder, 'gone'), { recursive: true });
      await writeFile(join(folder, 'gone'), 'a file where the folder was');
      const faults: unknown[] = [];
      const failing = new BlobStore({ source, disk, onDiskFault: (error) => faults.push(error) });
      expect((await failing.read(request)).bytes).toEqual(a.bytes);
      expect(faults).toHaveLength(2);
    });

    it('keeps nothing of a fetch that failed', async () => {
      const disk = await DiskCache.open(folder, 1_000);
      const broken = { fetch: () => Promise.reject(new Error('no edge')) };
      const blobs = new BlobStore({ source: broken, disk, onDiskFault: unexpected });
      await expect(blobs.read(request)).rejects.toThrow('no edge');
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
