import { LRUCache } from 'lru-cache';
import { ServiceError } from '../../schemas/errors.ts';
import { ADAPTER_MAX_BYTES } from '../../schemas/limits.ts';
import type { Base } from './base.ts';
import type { BaseRequest, BaseStore, Network } from './base-store.ts';
import type { BlobStore } from './blobs.ts';
import { type AdapterCache, type Lease, LeaseCache, type Loaded, type Tier } from './cache.ts';
import { invalidFile } from './checked-file.ts';
import { bareHex } from './digest.ts';
import { Gate } from './gate.ts';
import { isPlaced, type PlacedAdapter } from './placed.ts';
import { readAdapter } from './read-adapter.ts';
import { verifySelftest } from './verify-selftest.ts';

/** An adapter by its file's SHA-256, `sha256:<hex>`, the edge's leave to fetch it, and the base it is for. */
export interface AdapterRequest {
  readonly digest: string;
  readonly grant: string;
  readonly base: BaseRequest;
}

/** What a run needs: both stay ready until `release`. `adapter` is null for the base alone. */
export interface ModelLease {
  readonly adapter: PlacedAdapter | null;
  readonly base: Base;
  readonly tier: Tier;
  release(): void;
}

export interface AdapterStoreOptions {
  readonly bases: BaseStore;
  readonly blobs: BlobStore;
  readonly network: Pick<Network, 'runWindow' | 'place' | 'withdraw'>;
  /** Of compiled weights, in files. */
  readonly capacityBytes: number;
  readonly now: () => number;
}

/** Files in memory at a time: each may be as large as the format allows. */
const LOADS_AT_A_TIME = 2;
/** Digests known to have passed; what is forgotten is only tested again. */
const VERIFIED_MAX = 10_000;

/**
 * Adapters by digest: file, rules, self-test, weights ready for runs. An adapter is handed out only if it keeps every rule of the
 * format; its self-test runs when this process first sees it.
 */
export class AdapterStore {
  readonly cache: AdapterCache;
  readonly #options: AdapterStoreOptions;
  readonly #loading = new Gate(LOADS_AT_A_TIME);
  readonly #verified = new LRUCache<string, true>({ max: VERIFIED_MAX });

  constructor(options: AdapterStoreOptions) {
    this.#options = options;
    const { capacityBytes: capacity, now, network } = options;
    this.cache = new LeaseCache({ capacity, now, onEvict: (adapter) => network.withdraw(adapter) });
  }

  /**
   * An adapter with its base. Throws `invalid_adapter` with its problems, `not_found` where adapter or base are not to
   * be had, `runner_busy` without room, `runner_unavailable` where the edge or the network fails, `cancelled` by `signal`.
   */
  async acquire(request: AdapterRequest, signal?: AbortSignal): Promise<ModelLease> {
    const base = await this.#options.bases.acquire(request.base, signal);
    try {
      // An adapter means something only on its base, so the two are one key.
      const key = `${request.digest} on ${base.value.digest}`;
      const adapter = await this.#acquire(key, request, signal);
      const release = () => {
        adapter.release();
        base.release();
      };
      return { adapter: adapter.value, base: base.value, tier: adapter.tier, release };
    } catch (error) {
      base.release();
      throw error;
    }
  }

  /** The base alone, with its own head. */
  async acquireBase(request: BaseRequest, signal?: AbortSignal): Promise<ModelLease> {
    const base = await this.#options.bases.acquire(request, signal);
    return { adapter: null, base: base.value, tier: base.tier, release: () => base.release() };
  }

  async #acquire(key: string, request: AdapterRequest, signal?: AbortSignal): Promise<Lease<PlacedAdapter>> {
    const load = () => this.#load(key, request);
    const kept = await this.cache.acquire(key, load, signal);
    if (kept.tier !== 'hot' || (await isPlaced(kept.value))) return kept;
    kept.release();
    this.cache.forget(key, kept.value);
    return await this.cache.acquire(key, load, signal);
  }

  async #load(key: string, request: AdapterRequest): Promise<Loaded<PlacedAdapter>> {
    // Its own lease: the caller who started the load may leave before it ends.
    const base = await this.#options.bases.acquire(request.base);
    try {
      return await this.#loading.run(() => this.#read(key, request, base.value));
    } finally {
      base.release();
    }
  }

  async #read(key: string, { digest, grant }: AdapterRequest, base: Base): Promise<Loaded<PlacedAdapter>> {
    const { blobs, network, capacityBytes } = this.#options;
    const { bytes, tier } = await blobs.read({ sha256: bareHex(digest), grant, maxBytes: ADAPTER_MAX_BYTES });
    const compiled = await readAdapter(bytes, digest, base);
    if (compiled.bytes > capacityBytes) {
      throw new ServiceError('runner_unavailable', "The adapter is larger than this runner's room for adapters.");
    }
    const adapter = await network.place(compiled);
    try {
      if (!this.#verified.has(key)) await this.#verify(adapter, base);
    } catch (error) {
      network.withdraw(adapter);
      throw error;
    }
    this.#verified.set(key, true);
    return { value: adapter, size: adapter.bytes, tier };
  }

  async #verify(adapter: PlacedAdapter, base: Base): Promise<void> {
    const subject = { manifest: adapter.manifest, adapter };
    const problems = await verifySelftest(subject, base, (window) => this.#options.network.runWindow(window));
    if (problems.length > 0) throw invalidFile('invalid_adapter', problems);
  }
}
