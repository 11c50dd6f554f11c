import type { DiskCache } from './disk-cache.ts';

/** One file to fetch: its SHA-256 in bare hex, the edge's leave to have it, and how large it may be. */
export interface BlobRequest {
  readonly sha256: string;
  readonly grant: string;
  readonly maxBytes: number;
}

/** Where files come from. What it answers has the SHA-256 asked for, or it throws. */
export interface BlobSource {
  fetch(request: BlobRequest): Promise<Uint8Array>;
}

export interface Blob {
  readonly bytes: Uint8Array;
  readonly tier: 'warm' | 'cold';
}

export interface BlobStoreOptions {
  readonly source: BlobSource;
  readonly disk: DiskCache | null;
  /** Told of a disk that cannot be read or written: the file is then served without it. */
  readonly onDiskFault: (error: unknown) => void;
}

/** Files by SHA-256: this machine's disk over the source. */
export class BlobStore {
  readonly #options: BlobStoreOptions;

  constructor(options: BlobStoreOptions) {
    this.#options = options;
  }

  async read(request: BlobRequest): Promise<Blob> {
    const { source, disk } = this.#options;
    const kept = await this.#withDisk(disk?.read(request.sha256));
    if (kept) return { bytes: kept, tier: 'warm' };
    const bytes = await source.fetch(request);
    await this.#withDisk(disk?.write(request.sha256, bytes));
    return { bytes, tier: 'cold' };
  }

  async #withDisk<T>(work: Promise<T> | undefined): Promise<T | null> {
    try {
      return (await work) ?? null;
    } catch (error) {
      this.#options.onDiskFault(error);
      return null;
    }
  }
}
