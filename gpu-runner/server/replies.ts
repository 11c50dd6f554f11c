import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Replies on their way. Node counts a connection as idle as soon as its reply is written, though not yet sent. */
export class Replies {
  readonly #open = new Set<ServerResponse>();

  add(reply: ServerResponse): void {
    this.#open.add(reply);
    reply.once('close', () => this.#open.delete(reply));
  }

  /** Resolves when those that are on their way now have gone, or after so many milliseconds. */
  async sent(mostMs: number): Promise<void> {
    const late = new AbortController();
    const gone = [...this.#open].map((reply) => new Promise((resolve) => reply.once('close', resolve)));
    const limit = sleep(mostMs, undefined, { signal: late.signal }).catch(() => {});
    await Promise.race([Promise.all(gone), limit]);
    late.abort();
  }
}
