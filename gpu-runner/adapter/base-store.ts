import { ServiceError } from '../../schemas/errors.ts';
import { BASE_MAX_BYTES } from '../../schemas/limits.ts';
import { type Base, readBase } from './base.ts';
import type { BlobStore } from './blobs.ts';
import { type Lease, LeaseCache, type Loaded } from './cache.ts';
import { invalidFile } from './checked-file.ts';
import type { CompiledAdapter } from './compiled.ts';
import { bareHex } from './digest.ts';
import { Gate } from './gate.ts';
import type { PlacedAdapter } from './placed.ts';
import { type SelftestWindow, verifySelftest } from './verify-selftest.ts';

/** The network as the stores need it: it must know a base before it runs its windows. */
export interface Network {
  register(base: Base): Promise<void>;
  /** No window of this base runs any more. */
  forget(base: Base): void;
  /** Puts an adapter's weights where runs read them. */
  place(adapter: CompiledAdapter): Promise<PlacedAdapter>;
  /** No run of this adapter begins any more. */
  withdraw(adapter: PlacedAdapter): void;
  runWindow(request: SelftestWindow): Promise<Float32Array>;
}

/** A base by its base digest and, for a runner that does not have it, its file and the leave to fetch it. */
export interface BaseRequest {
  readonly digest: string;
  /** SHA-256 of the file, `sha256:<hex>`. */
  readonly file: string | null;
  readonly grant: string | null;
}

export interface BaseStoreOptions {
  readonly network: Network;
  /** Null where nothing can be fetched: then only bases that were added are served. */
  readonly blobs: BlobStore | null;
  /** How many bases are kept at a time, those that were added among them. */
  readonly mostBases: number;
  readonly now: () => number;
}

/** Bases by base digest. Each has passed every rule of the format, the self-test among them, before it is handed out. */
export class BaseStore {
  readonly #options: BaseStoreOptions;
  readonly #cache: LeaseCache<Base>;
  /** One file in memory at a time: it may be as large as the format allows. */
  readonly #reading = new Gate(1);

  constructor(options: BaseStoreOptions) {
    this.#options = options;
    const { mostBases: capacity, now, network } = options;
    this.#cache = new LeaseCache({ capacity, now, onEvict: (base) => network.forget(base) });
  }

  /** Serves a base from this machine for as long as the process lives. Throws `invalid_base` where its self-test misses. */
  async add(base: Base): Promise<void> {
    await this.#cache.acquire(base.digest, () => this.#admit(base, 'warm'));
  }

  /** A lease of the base. Throws `not_found` where it is not here and nothing says where it is. */
  async acquire(request: BaseRequest, signal?: AbortSignal): Promise<Lease<Base>> {
    return await this.#cache.acquire(request.digest, () => this.#load(request), signal);
  }

  /** The bases in memory. */
  *values(): Generator<Base> {
    yield* this.#cache.values();
  }

  /** Checks a base whose digest is not known yet, keeps it, and answers its base digest. Throws `invalid_base`. */
  async verifyFile(file: string, grant: string, signal?: AbortSignal): Promise<string> {
    const { base, tier } = await this.#read(file, grant);
    const lease = await this.#cache.acquire(base.digest, () => this.#admit(base, tier), signal);
    lease.release();
    return base.digest;
  }

  async #load({ digest, file, grant }: BaseRequest): Promise<Loaded<Base>> {
    if (file === null || grant === null) throw new ServiceError('not_found', 'This base is not served here.');
    const { base, tier } = await this.#read(file, grant);
    if (base.digest !== digest) throw new ServiceError('internal', 'The file of the base holds another base.');
    return await this.#admit(base, tier);
  }

  async #read(file: string, grant: string): Promise<{ base: Base; tier: 'warm' | 'cold' }> {
    const { blobs } = this.#options;
    if (blobs === null) throw new ServiceError('not_found', 'This base is not served here.');
    return await this.#reading.run(async () => {
      const { bytes, tier } = await blobs.read({ sha256: bareHex(file), grant, maxBytes: BASE_MAX_BYTES });
      return { base: await readBase(bytes), tier };
    });
  }

  /** Lets a base in once its own network reaches what its self-test expects. */
  async #admit(base: Base, tier: 'warm' | 'cold'): Promise<Loaded<Base>> {
    const { network } = this.#options;
    await network.register(base);
    try {
      const subject = { manifest: base.manifest, adapter: null };
      const problems = await verifySelftest(subject, base, (request) => network.runWindow(request));
      if (problems.length > 0) throw invalidFile('invalid_base', problems);
      return { value: base, size: 1, tier };
    } catch (error) {
      network.forget(base);
      throw error;
    }
  }
}
