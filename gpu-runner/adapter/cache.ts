import { ServiceError } from '../../schemas/errors.ts';
import type { PlacedAdapter } from './placed.ts';

/** Where a value was found: ready to be used, in a file of this machine as it came, or only at the edge. */
export type Tier = 'hot' | 'warm' | 'cold';

/** A value that stays ready until `release`, which may be called twice. */
export interface Lease<V> {
  readonly value: V;
  readonly tier: Tier;
  release(): void;
}

export interface Loaded<V> {
  readonly value: V;
  /** What it takes of the capacity. */
  readonly size: number;
  readonly tier: 'warm' | 'cold';
}

export interface LeaseCacheOptions<V> {
  readonly capacity: number;
  /** Milliseconds, from any start. */
  readonly now: () => number;
  /** For so long a failure that lies in the value itself is answered again without another load. */
  readonly failureTtlMs?: number;
  readonly onEvict?: (value: V) => void;
}

interface Entry<V> {
  readonly value: V;
  readonly size: number;
  leases: number;
}

interface Waiter<V> {
  resolve(lease: Lease<V>): void;
  reject(error: unknown): void;
}

const FAILURE_TTL_MS = 2_000;
const RETRY_AFTER_SECONDS = 2;
/** Failures of the moment: the next caller may fare better, by another grant or a moment later. */
const PASSING = new Set(['runner_busy', 'runner_unavailable', 'deadline_exceeded', 'cancelled']);

/**
 * Values by digest, bounded in size. What is leased is never evicted; of the rest, what was used longest ago goes
 * first. A key is loaded once however many ask for it, and a caller who stops waiting cancels nothing for the others.
 */
export class LeaseCache<V> {
  readonly #options: LeaseCacheOptions<V>;
  /** In order of last use. */
  readonly #entries = new Map<string, Entry<V>>();
  readonly #flights = new Map<string, Set<Waiter<V>>>();
  readonly #failures = new Map<string, { error: unknown; until: number }>();
  #used = 0;

  constructor(options: LeaseCacheOptions<V>) {
    this.#options = options;
  }

  /**
   * A lease of the value, which `load` makes where it is not kept. Throws what `load` throws, `runner_busy` where
   * everything is in use and there is no room, and `cancelled` by `signal`.
   */
  async acquire(key: string, load: () => Promise<Loaded<V>>, signal?: AbortSignal): Promise<Lease<V>> {
    if (signal?.aborted) throw cancelled();
    const entry = this.#entries.get(key);
    if (entry !== undefined) return this.#lease(key, entry, 'hot');
    const failure = this.#failures.get(key);
    if (failure !== undefined && this.#options.now() < failure.until) throw failure.error;
    let waiters = this.#flights.get(key);
    if (waiters === undefined) {
      // Loading is in vain where nothing could give way to the result.
      if (this.stats().leasedSize >= this.#options.capacity) throw busy();
      waiters = new Set();
      this.#flights.set(key, waiters);
      void this.#fly(key, load, waiters);
    }
    return await this.#wait(waiters, signal);
  }

  /** Values that are kept, least recently used first. */
  *values(): Generator<V> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Gives up a value that turned out to be of no use; who has a lease of it keeps that. */
  forget(key: string, value: V): void {
    const entry = this.#entries.get(key);
    if (entry?.value === value) this.#evict(key, entry);
  }

  stats(): { entries: number; size: number; leasedSize: number; capacity: number; loading: number } {
    let leasedSize = 0;
    for (const { leases, size } of this.#entries.values()) leasedSize += leases > 0 ? size : 0;
    const { capacity } = this.#options;
    return { entries: this.#entries.size, size: this.#used, leasedSize, capacity, loading: this.#flights.size };
  }

  #wait(waiters: Set<Waiter<V>>, signal: AbortSignal | undefined): Promise<Lease<V>> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease<V>>();
    const waiter = { resolve, reject };
    const leave = () => {
      waiters.delete(waiter);
      reject(cancelled());
    };
    waiters.add(waiter);
    signal?.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  /** Runs a load to its end and hands out leases at once, so that nothing can be evicted in between. */
  async #fly(key: string, load: () => Promise<Loaded<V>>, waiters: Set<Waiter<V>>): Promise<void> {
    try {
      const loaded = await load();
      const entry = this.#insert(key, loaded);
      this.#flights.delete(key);
      for (const waiter of waiters) waiter.resolve(this.#lease(key, entry, loaded.tier));
    } catch (error) {
      this.#remember(key, error);
      this.#flights.delete(key);
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  #insert(key: string, { value, size }: Loaded<V>): Entry<V> {
    if (this.stats().leasedSize + size > this.#options.capacity) {
      this.#options.onEvict?.(value);
      throw busy();
    }
    for (const [other, idle] of this.#entries) {
      if (this.#used + size <= this.#options.capacity) break;
      if (idle.leases > 0) continue;
      this.#evict(other, idle);
    }
    const entry = { value, size, leases: 0 };
    this.#entries.set(key, entry);
    this.#used += size;
    return entry;
  }

  #lease(key: string, entry: Entry<V>, tier: Tier): Lease<V> {
    entry.leases += 1;
    this.#touch(key, entry);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      entry.leases -= 1;
      this.#touch(key, entry);
    };
    return { value: entry.value, tier, release };
  }

  #evict(key: string, { value, size }: Entry<V>): void {
    this.#entries.delete(key);
    this.#used -= size;
    this.#options.onEvict?.(value);
  }

  #touch(key: string, entry: Entry<V>): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #remember(key: string, error: unknown): void {
    const now = this.#options.now();
    for (const [old, { until }] of this.#failures) {
      if (until <= now) this.#failures.delete(old);
    }
    if (error instanceof ServiceError && PASSING.has(error.code)) return;
    this.#failures.set(key, { error, until: now + (this.#options.failureTtlMs ?? FAILURE_TTL_MS) });
  }
}

/** Compiled adapters by digest, sized in bytes. */
export type AdapterCache = LeaseCache<PlacedAdapter>;

function busy(): ServiceError {
  const extra = { retryAfterSeconds: RETRY_AFTER_SECONDS };
  return new ServiceError('runner_busy', 'All that is kept is in use and there is no room for more.', extra);
}

function cancelled(): ServiceError {
  return new ServiceError('cancelled', 'The request was cancelled while it waited for its adapter.');
}
