import { Worker } from 'node:worker_threads';
import { type ErrorCode, ServiceError } from '../../schemas/errors.ts';
import { type Owned, own } from './owned.ts';
import { Semaphore } from './semaphore.ts';
import type { Answer, AnswerRequest, Decoded, DecodeRequest, OnGrid, PreparedVolume } from './volume-work.ts';

export type ThreadRequest =
  | { readonly kind: 'decode'; readonly body: DecodeRequest }
  | { readonly kind: 'prepare' }
  | { readonly kind: 'answer'; readonly body: AnswerRequest }
  /** Forgets the volume; has no reply. */
  | { readonly kind: 'clear' };

export type ThreadReply =
  | { readonly kind: 'decoded'; readonly value: Decoded }
  | { readonly kind: 'prepared'; readonly value: PreparedVolume }
  | { readonly kind: 'answered'; readonly value: Answer }
  /** Without a code it is a fault of ours. */
  | { readonly kind: 'failed'; readonly code: ErrorCode | null; readonly message: string };

const DEAD = { kind: 'failed', code: null, message: 'the thread of the volume died' } as const;

/** Volumes lie outside a thread's heap: without a bound, what little is made beside them is left to pile up. */
const YOUNG_GENERATION_MB = 16;

/** A thread that works on one volume. Arrays handed to it are moved, not copied: they are empty afterwards. */
export class VolumeThread {
  readonly #worker = new Worker(new URL('./volume-thread.ts', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  #settle: ((reply: ThreadReply) => void) | null = null;
  #alive = true;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', (reply: ThreadReply) => this.#settle?.(reply));
    this.#worker.on('error', (error) => this.#die(error.message));
    this.#worker.on('exit', () => this.#die('the thread ended'));
  }

  get alive(): boolean {
    return this.#alive;
  }

  async decode(request: DecodeRequest, signal?: AbortSignal): Promise<Decoded> {
    const files = request.files.map((file) => own(file));
    const reply = await this.#call({ kind: 'decode', body: { ...request, files } }, files, signal);
    return reply.kind === 'decoded' ? reply.value : fail(reply);
  }

  async prepare(signal?: AbortSignal): Promise<PreparedVolume> {
    const reply = await this.#call({ kind: 'prepare' }, [], signal);
    return reply.kind === 'prepared' ? reply.value : fail(reply);
  }

  async answer(request: AnswerRequest, signal?: AbortSignal): Promise<Answer> {
    const { onGrid, moved } = movable(request.onGrid);
    const reply = await this.#call({ kind: 'answer', body: { ...request, onGrid } }, [moved], signal);
    return reply.kind === 'answered' ? reply.value : fail(reply);
  }

  /** Lets go of the volume. */
  clear(): void {
    this.#post({ kind: 'clear' }, []);
  }

  async end(): Promise<void> {
    this.#alive = false;
    await this.#worker.terminate();
  }

  /** Work on voxels cannot be interrupted, so an aborted call ends the thread with all that it holds. */
  async #call(request: ThreadRequest, moved: readonly Owned[], signal: AbortSignal | undefined): Promise<ThreadReply> {
    signal?.throwIfAborted();
    if (!this.#alive) return DEAD;
    const { promise, resolve, reject } = Promise.withResolvers<ThreadReply>();
    const abort = () => {
      reject(signal?.reason);
      void this.end();
    };
    this.#settle = resolve;
    signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#post(request, moved);
      return await promise;
    } finally {
      this.#settle = null;
      signal?.removeEventListener('abort', abort);
    }
  }

  #post(request: ThreadRequest, moved: readonly Owned[]): void {
    this.#worker.postMessage(
      request,
      moved.map((array) => array.buffer),
    );
  }

  #die(message: string): void {
    this.#alive = false;
    this.#settle?.({ ...DEAD, message: `${DEAD.message}: ${message}` });
  }
}

function movable(onGrid: OnGrid): { onGrid: OnGrid; moved: Owned } {
  if (onGrid.output === 'labels') {
    const labels = own(onGrid.labels);
    return { onGrid: { ...onGrid, labels }, moved: labels };
  }
  const probabilities = own(onGrid.probabilities);
  return { onGrid: { ...onGrid, probabilities }, moved: probabilities };
}

function fail(reply: ThreadReply): never {
  if (reply.kind !== 'failed') throw new Error(`a volume thread answered out of turn: ${reply.kind}`);
  throw reply.code === null ? new Error(reply.message) : new ServiceError(reply.code, reply.message);
}

/** Threads kept for the next volume, beside those that have one. */
const IDLE_MAX = 4;

/**
 * Threads for volumes, one for each that is in work: a volume waits for its windows without holding up others. How many
 * work at a time is bounded, and no tenant has all of these turns, so that many large volumes of one hold up none of
 * another's small ones.
 */
export class VolumePool {
  readonly #turns: Semaphore;
  readonly #idle: VolumeThread[] = [];
  readonly #busy = new Set<VolumeThread>();

  /** `width` threads work at a time. */
  constructor(width: number) {
    this.#turns = new Semaphore(width, Math.max(1, width - 1));
  }

  /** Lends a thread for the length of `work`. */
  async use<T>(work: (thread: VolumeThread) => Promise<T>): Promise<T> {
    const thread = this.#takeIdle() ?? new VolumeThread();
    this.#busy.add(thread);
    try {
      return await work(thread);
    } finally {
      this.#busy.delete(thread);
      if (thread.alive && this.#idle.length < IDLE_MAX) {
        thread.clear();
        this.#idle.push(thread);
      } else await thread.end();
    }
  }

  /** Does `work` on a thread that was lent when it is the tenant's turn. */
  async turn<T>(tenant: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.#turns.acquire(tenant, 1, signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  #takeIdle(): VolumeThread | undefined {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (thread.alive) return thread;
    }
    return undefined;
  }

  /** Ends all threads; calls in progress fail. */
  async close(): Promise<void> {
    await Promise.all([...this.#idle.splice(0), ...this.#busy].map((thread) => thread.end()));
  }
}
