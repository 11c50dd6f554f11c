/** Who waits for how much. */
export interface Waiting {
  readonly tenant: string;
  readonly amount: number;
  /** Let in before it since it could not be: at the capacity nobody goes before it any more. */
  readonly passed: number;
}

interface Waiter extends Waiting {
  passed: number;
  readonly admit: () => void;
}

export interface Shared {
  readonly capacity: number;
  readonly free: number;
  /** What a tenant holds. */
  readonly held: (tenant: string) => number;
  /** What one tenant may hold at a time; a larger amount goes in where the tenant holds nothing. */
  readonly tenantMax: number;
}

/**
 * Who goes in next, of `waiting` in order of arrival: whoever fits, the tenant that holds least first. Whoever has been
 * passed by as much as there is at all holds up everybody, so that nobody waits for ever; its tenant's own share never
 * holds up others. Null where nobody fits.
 */
export function nextOf<T extends Waiting>(waiting: readonly T[], shared: Shared): T | null {
  const { capacity, free, held, tenantMax } = shared;
  const allowed = waiting.filter(({ tenant, amount }) => held(tenant) === 0 || held(tenant) + amount <= tenantMax);
  const due = allowed.find(({ passed }) => passed >= capacity);
  if (due !== undefined) return due.amount <= free ? due : null;
  const fitting = allowed.filter(({ amount }) => amount <= free);
  const [first, ...others] = fitting;
  if (first === undefined) return null;
  return others.reduce((best, other) => (held(other.tenant) < held(best.tenant) ? other : best), first);
}

/** An amount that tenants share; `nextOf` says who goes in when some is free. */
export class Semaphore {
  readonly capacity: number;
  readonly #tenantMax: number;
  readonly #waiters: Waiter[] = [];
  readonly #held = new Map<string, number>();
  #free: number;

  constructor(capacity: number, tenantMax = capacity) {
    this.capacity = capacity;
    this.#tenantMax = tenantMax;
    this.#free = capacity;
  }

  /** What is held by all together. */
  get held(): number {
    return this.capacity - this.#free;
  }

  /**
   * Takes `amount`, at most the capacity, and answers the function that gives it back; calling that twice is harmless.
   * Rejects with the signal's reason where it is aborted first.
   */
  async acquire(tenant: string, amount: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (amount > this.capacity) throw new RangeError(`${amount} of ${this.capacity} will never be free`);
    await this.#wait(tenant, amount, signal);
    let holds = true;
    return () => {
      if (!holds) return;
      holds = false;
      this.#hold(tenant, -amount);
      this.#admit();
    };
  }

  #wait(tenant: string, amount: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { tenant, amount, passed: 0, admit: resolve };
    const leave = () => {
      const place = this.#waiters.indexOf(waiter);
      // Admitted in the same turn: the holder finds the signal aborted and gives back.
      if (place < 0) return;
      this.#waiters.splice(place, 1);
      this.#admit();
      reject(signal?.reason);
    };
    this.#waiters.push(waiter);
    signal?.addEventListener('abort', leave, { once: true });
    this.#admit();
    return promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  #admit(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const place = this.#waiters.indexOf(next);
      this.#waiters.splice(place, 1);
      for (const waiter of this.#waiters.slice(0, place)) waiter.passed += next.amount;
      this.#hold(next.tenant, next.amount);
      next.admit();
    }
  }

  #next(): Waiter | null {
    const held = (tenant: string) => this.#held.get(tenant) ?? 0;
    return nextOf(this.#waiters, {
      capacity: this.capacity,
      free: this.#free,
      held,
      tenantMax: this.#tenantMax,
    });
  }

  #hold(tenant: string, amount: number): void {
    this.#free -= amount;
    const held = (this.#held.get(tenant) ?? 0) + amount;
    if (held === 0) this.#held.delete(tenant);
    else this.#held.set(tenant, held);
  }
}
