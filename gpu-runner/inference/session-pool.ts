import { LRUCache } from 'lru-cache';
import type { SessionKind } from '../adapter/compiled.ts';
import type { Vec3 } from '../volume/volume.ts';
import type { NetworkSession, SessionSpec } from './onnx-session.ts';
import type { RegisteredBase } from './session-messages.ts';
import { windowBytes } from './window-memory.ts';

export interface SessionPoolLimits {
  readonly max: number;
  /** For all of them together: a session keeps the memory that its window took. */
  readonly memoryBytes: number;
}

interface Kept {
  readonly session: NetworkSession;
  readonly bytes: number;
}

/**
 * Sessions by base, window and kind, made on demand. The least recently used ones go before a new one is made, so
 * there are never more than the limits allow; one at a time is in use, so none in use is ever released.
 */
export class SessionPool {
  readonly #limits: SessionPoolLimits;
  readonly #open: (spec: SessionSpec) => Promise<NetworkSession>;
  readonly #sessions: LRUCache<string, Kept>;
  #bytes = 0;

  constructor(limits: SessionPoolLimits, open: (spec: SessionSpec) => Promise<NetworkSession>) {
    this.#limits = limits;
    this.#open = open;
    this.#sessions = new LRUCache({ max: limits.max });
  }

  /** Sessions kept. */
  get size(): number {
    return this.#sessions.size;
  }

  async get(base: RegisteredBase, window: Vec3, kind: SessionKind): Promise<NetworkSession> {
    const key = `${base.digest} ${window.join('x')} ${kind}`;
    const found = this.#sessions.get(key);
    if (found !== undefined) return found.session;
    const { architecture, weightsPath } = base;
    const bytes = windowBytes(architecture, window);
    await this.#makeRoom(bytes);
    const session = await this.#open({ architecture, weightsPath, window, kind });
    this.#sessions.set(key, { session, bytes });
    this.#bytes += bytes;
    return session;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { max, memoryBytes } = this.#limits;
    while (this.#sessions.size >= max || this.#bytes + bytes > memoryBytes) {
      const oldest = this.#sessions.pop();
      if (oldest === undefined) return;
      this.#bytes -= oldest.bytes;
      await oldest.session.release();
    }
  }
}
