import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ServiceError } from '../../schemas/errors.ts';

export type RunStatus = 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface RunState {
  readonly run: string;
  readonly status: RunStatus;
  /** 0 to 1, by windows. */
  readonly progress: number;
  readonly windows: { readonly done: number; readonly total: number };
}

/** One request that waits or runs. */
export interface Run {
  readonly id: string;
  /** Empty where none was named. */
  readonly tenant: string;
  /** Aborted with the `ServiceError` that the run ends with. */
  readonly signal: AbortSignal;
  readonly cancel: (message: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  readonly end: (status: Exclude<RunStatus, 'running'>) => void;
}

/** What a run is let in by. */
export interface RunCall {
  readonly tenant: string;
  /** Epoch milliseconds. */
  readonly deadline: number;
  readonly id?: string | undefined;
}

export interface RunsOptions {
  /** Runs at a time, those that wait among them; one tenant has at most half of these places (rounded up). */
  readonly limit: number;
  readonly now: () => number;
}

const RETRY_AFTER_SECONDS = 2;
const ENDED_MAX = 1000;
const ENDED_KEPT_MS = 10 * 60_000;
const CANCELLED = 'The run was cancelled.';

interface Active {
  state: RunState;
  /** Epoch milliseconds. */
  readonly since: number;
  readonly run: Run;
}

/** The door of the runner: who may come in, how far each is, and when the last one has left. */
export class Runs {
  readonly #options: RunsOptions;
  readonly #active = new Map<string, Active>();
  readonly #ended = new LRUCache<string, RunState>({ max: ENDED_MAX, ttl: ENDED_KEPT_MS });
  #draining: PromiseWithResolvers<void> | null = null;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#active.size;
  }

  /** Milliseconds that the run has been here that waits longest for its first window; 0 where none waits. */
  get longestWaitMs(): number {
    const now = this.#options.now();
    const waits = [...this.#active.values()].filter(({ state }) => state.windows.done === 0);
    return waits.reduce((longest, { since }) => Math.max(longest, now - since), 0);
  }

  get full(): boolean {
    return this.#active.size >= this.#options.limit;
  }

  get draining(): boolean {
    return this.#draining !== null;
  }

  /**
   * Lets a run in until `deadline` (epoch milliseconds). Throws `runner_unavailable` while draining, `runner_busy`
   * where the queue or the tenant's part of it is full, `deadline_exceeded` where it is too late already, `conflict` for an id that is running.
   */
  begin({ tenant, deadline, id = randomUUID() }: RunCall): Run {
    const { limit, now } = this.#options;
    const extra = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    if (this.draining) throw new ServiceError('runner_unavailable', 'The runner is stopping.', extra);
    if (this.#active.has(id)) throw new ServiceError('conflict', 'A run with this id is running.');
    if (this.full) throw new ServiceError('runner_busy', "The runner's queue is full.", extra);
    const own = [...this.#active.values()].filter(({ run }) => run.tenant === tenant).length;
    if (own >= Math.ceil(limit / 2)) {
      throw new ServiceError('runner_busy', "The tenant's part of the runner's queue is full.", extra);
    }
    if (deadline <= now()) throw late();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(late()), deadline - now());
    const run: Run = {
      id,
      tenant,
      signal: abort.signal,
      cancel: (message) => abort.abort(new ServiceError('cancelled', message)),
      onProgress: (done, total) => {
        const active = this.#active.get(id);
        if (active?.run === run) active.state = stateOf(id, 'running', done, total);
      },
      end: (status) => {
        clearTimeout(timer);
        this.#end(run, status);
      },
    };
    this.#active.set(id, { state: stateOf(id, 'running', 0, 0), since: now(), run });
    return run;
  }

  /** How far a run is, or how it ended a while ago. */
  state(id: string): RunState | undefined {
    return this.#active.get(id)?.state ?? this.#ended.get(id);
  }

  /** Cancels a run; answers whether it was running. */
  cancel(id: string): boolean {
    const active = this.#active.get(id);
    active?.run.cancel(CANCELLED);
    return active !== undefined;
  }

  cancelAll(): void {
    for (const { run } of this.#active.values()) run.cancel('The runner was stopped.');
  }

  /** Lets nobody in from now on; resolves when the last one has left. */
  async drain(): Promise<void> {
    this.#draining ??= Promise.withResolvers<void>();
    this.#settleDrain();
    await this.#draining.promise;
  }

  #end(run: Run, status: RunStatus): void {
    const active = this.#active.get(run.id);
    if (active?.run !== run) return;
    this.#active.delete(run.id);
    const { done, total } = active.state.windows;
    this.#ended.set(run.id, {
      ...stateOf(run.id, status, done, total),
      ...(status === 'succeeded' ? { progress: 1 } : {}),
    });
    this.#settleDrain();
  }

  #settleDrain(): void {
    if (this.#active.size === 0) this.#draining?.resolve();
  }
}

function stateOf(run: string, status: RunStatus, done: number, total: number): RunState {
  return { run, status, progress: total > 0 ? done / total : 0, windows: { done, total } };
}

function late(): ServiceError {
  return new ServiceError('deadline_exceeded', 'The run was not done before its deadline.');
}
