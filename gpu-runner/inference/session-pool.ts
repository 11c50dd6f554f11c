import { LRUCache } from 'lru-cache';
import type { SessionKind } from '../adapter/compiled.ts';
import type { Vec3 } from '../volume/volume.ts';
import type { NetworkSession, SessionSpec } from './onnx-session.ts';
import type { RegisteredBase } from './session-messages.ts';

/**
 * Sessions by base, window and kind, made on demand. The least recently used one goes before a new one is made, so
 * there are never more than `max`; one at a time is in use, so none in use is ever released.
 */
export class SessionPool {
  readonly #open: (spec: SessionSpec) => Promise<NetworkSession>;
  readonly #sessions: LRUCache<string, NetworkSession>;

  constructor(max: number, open: (spec: SessionSpec) => Promise<NetworkSession>) {
    this.#open = open;
    this.#sessions = new LRUCache({ max });
  }

  async get(base: RegisteredBase, window: Vec3, kind: SessionKind): Promise<NetworkSession> {
    const key = `${base.digest} ${window.join('x')} ${kind}`;
    const found = this.#sessions.get(key);
    if (found !== undefined) return found;
    if (this.#sessions.size >= this.#sessions.max) await this.#sessions.pop()?.release();
    const { architecture, weightsPath } = base;
    const session = await this.#open({ architecture, weightsPath, window, kind });
    this.#sessions.set(key, session);
    return session;
  }
}
