interface Waiter {
  readonly amount: number;
  readonly admit: () => void;
}

/** An amount that many share: whoever asks waits, in order of arrival, until as much is free. */
export class Semaphore {
  readonly capacity: number;
  readonly #waiters: Waiter[] = [];
  #free: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = capacity;
  }

  /**
   * Takes `amount`, at most the capacity, and answers the function that gives it back; calling that twice is harmless.
   * Rejects with the signal's reason where it is aborted first.
   */
  async acquire(amount: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (amount > this.capacity) throw new RangeError(`${amount} of ${this.capacity} will never be free`);
    if (this.#waiters.length > 0 || amount > this.#free) await this.#wait(amount, signal);
    else this.#free -= amount;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#free += amount;
      this.#admitNext();
    };
  }

  #wait(amount: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { amount, admit: resolve };
    const leave = () => {
      const place = this.#waiters.indexOf(waiter);
      // Admitted in the same turn: the holder finds the signal aborted and gives back.
      if (place < 0) return;
      this.#waiters.splice(place, 1);
      this.#admitNext();
      reject(signal?.reason);
    };
    this.#waiters.push(waiter);
    signal?.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  #admitNext(): void {
    for (let next = this.#waiters[0]; next !== undefined && next.amount <= this.#free; next = this.#waiters[0]) {
      this.#waiters.shift();
      this.#free -= next.amount;
      next.admit();
    }
  }
}
