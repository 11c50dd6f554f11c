import { HEAD_PARAMETERS } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { BaseWeights, type RegistrableBase } from './base-weights.ts';
import { ChildKeeper, type SessionLog } from './child-keeper.ts';
import type { RunReply } from './session-messages.ts';
import type { PulseTimes, SessionHealth } from './session-pulse.ts';
import type { NetworkRunner, Provider, RunOptions, RunRequest, RunResult, WindowRequest } from './session-types.ts';
import { checkWindowMemory } from './window-memory.ts';

export type { SessionLog } from './child-keeper.ts';
export type * from './session-types.ts';

export interface SessionHostOptions {
  /** Tried in order. */
  readonly providers: readonly Provider[];
  /** Threads of one session; left out, onnxruntime decides. */
  readonly threads?: number | undefined;
  /** Sessions kept ready, each with the memory that a window takes. */
  readonly maxSessions?: number | undefined;
  /** For the windows of those sessions together; one that needs more alone is refused. Left out, there is no limit. */
  readonly memoryBytes?: number | undefined;
  /** A child that has a run and is silent for so long is killed. */
  readonly stallSeconds?: number | undefined;
  /** When a child counts as standing still. */
  readonly pulse?: PulseTimes | undefined;
  readonly log: SessionLog;
}

const MAX_SESSIONS = 3;
/** A window of 192^3 at feature size 48 takes minutes on few CPU cores. */
const STALL_SECONDS = 1200;

interface Pending {
  readonly id: number;
  readonly request: RunRequest;
  readonly options: RunOptions;
  readonly queuedAt: number;
  /** When the child got it. */
  sentAt: number;
  resolve(result: RunResult): void;
  reject(error: unknown): void;
}

/**
 * The parent's side of a device: sessions, windows and blending live in a child process, so that this process answers
 * while a run goes on. Runs go to the child one by one, first in, first out; those that wait are kept here, so a child
 * that dies takes only the run it had, and the next child goes on with the others.
 */
export class SessionHost implements NetworkRunner {
  readonly #weights = new BaseWeights();
  readonly #keeper: ChildKeeper;
  readonly #stallMilliseconds: number;
  readonly #memoryBytes: number;
  readonly #log: SessionLog;
  readonly #queue: Pending[] = [];
  #current: Pending | null = null;
  #stall: NodeJS.Timeout | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: SessionHostOptions) {
    const { providers, threads = 0, maxSessions = MAX_SESSIONS, stallSeconds, log } = options;
    const { memoryBytes = Number.POSITIVE_INFINITY } = options;
    this.#stallMilliseconds = 1000 * (stallSeconds ?? STALL_SECONDS);
    this.#memoryBytes = memoryBytes;
    this.#log = log;
    const events = {
      onReady: () => this.#next(),
      onReply: (reply: RunReply) => this.#onReply(reply),
      onLost: () => this.#settle()?.reject(unavailable('The session process ended during the run.')),
      onGivenUp: (error: ServiceError) => this.#rejectWaiting(error),
    };
    const bases = () => this.#weights.all.values();
    const settings = { providers, threads, maxSessions, memoryBytes, weightsDirectory: this.#weights.directory };
    this.#keeper = new ChildKeeper(settings, bases, events, log, options.pulse);
  }

  /** The provider that runs here. Rejects with `runner_unavailable` where no child can be started. */
  async ready(): Promise<{ provider: Provider }> {
    return await this.#keeper.ready();
  }

  /** Whether a child is up and gets on; it may be busy. */
  health(): SessionHealth {
    return this.#keeper.health;
  }

  /** Children that were started in place of one that ended. */
  get restarts(): number {
    return this.#keeper.restarts;
  }

  /** Sessions kept ready. */
  get sessions(): number {
    return this.#keeper.sessions;
  }

  /** Runs that wait or run. */
  get queueLength(): number {
    return this.#queue.length + (this.#current === null ? 0 : 1);
  }

  get childPid(): number | undefined {
    return this.#keeper.link?.pid;
  }

  /** Makes a base known to this host and its children; the same digest again changes nothing. */
  async registerBase(base: RegistrableBase): Promise<void> {
    await this.#weights.add(base, (registered) => this.#keeper.link?.registerBase(registered));
  }

  /** Gives up a base's file. A run that still waits for the base fails. */
  async forgetBase(digest: string): Promise<void> {
    this.#keeper.link?.forgetBase(digest);
    await this.#weights.forget(digest);
  }

  /**
   * Takes a volume through the network. Rejects with `cancelled` (or the signal's own `ServiceError`) at once when the
   * signal is aborted, while the device is free after the window it is in; with `runner_unavailable` when the child dies
   * under the run; with `channel_mismatch`, `invalid_volume` or `invalid_adapter` for what cannot be fed, and
   * `invalid_adapter` or, without one, `invalid_base` for a window that takes more memory than there is.
   */
  async run(request: RunRequest, options: RunOptions = {}): Promise<RunResult> {
    const { signal } = options;
    if (this.#closed) throw stopping();
    if (signal?.aborted === true) throw cancellation(signal);
    this.#checkWindow(request);
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
    const pending: Pending = {
      id: this.#nextId++,
      request,
      options,
      queuedAt: performance.now(),
      sentAt: 0,
      resolve,
      reject,
    };
    const onAbort = () => this.#cancel(pending);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(pending);
    this.#keeper.wake();
    this.#next();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Takes one window through the network and answers its logits `[classes, ...window]`. */
  async runWindow({ base, window, adapter, input }: WindowRequest): Promise<Float32Array> {
    const architecture = this.#weights.all.get(base)?.architecture;
    if (architecture === undefined) throw new Error(`the base ${base} is not registered`);
    const { logits } = await this.run({
      runId: 'window',
      base,
      window,
      overlap: 0,
      blend: 'constant',
      adapter,
      volume: input,
      channels: architecture.in_channels,
      classes: adapter?.replaced.get(HEAD_PARAMETERS[0])?.shape[0] ?? architecture.out_channels,
      shape: window,
    });
    return logits;
  }

  /** The window of a run is checked before; that of a self-test comes here as it is. */
  #checkWindow({ base, window, adapter }: RunRequest): void {
    const registered = this.#weights.all.get(base);
    if (registered === undefined) throw new Error(`the base ${base} is not registered`);
    const { architecture } = registered;
    const fault = {
      code: adapter === null ? 'invalid_base' : 'invalid_adapter',
      path: 'manifest.selftest.roi_size',
    } as const;
    checkWindowMemory({ architecture, window }, this.#memoryBytes, fault);
  }

  /** Ends the child and rejects what is left with `runner_unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectWaiting(stopping());
    this.#settle()?.reject(stopping());
    await this.#keeper.close();
    await this.#weights.removeAll();
  }

  #next(): void {
    const { link, up } = this.#keeper;
    if (this.#current !== null || link === null || !up) return;
    const pending = this.#queue.shift();
    if (pending === undefined) return;
    this.#current = pending;
    pending.sentAt = performance.now();
    const { adapter, runId: _, ...run } = pending.request;
    link.run(pending.id, run, adapter);
    this.#watch();
  }

  #onReply(reply: RunReply): void {
    const pending = this.#current;
    if (pending === null || pending.id !== reply.id) return;
    if (reply.type === 'progress') {
      this.#watch();
      if (pending.options.signal?.aborted !== true) pending.options.onProgress?.(reply.done, reply.total);
      return;
    }
    this.#settle();
    if (reply.type === 'failed') {
      const { code, message } = reply;
      pending.reject(code === 'internal' ? new Error(message) : new ServiceError(code, message));
    } else {
      const { logits, windows, timings } = reply;
      const queue = pending.sentAt - pending.queuedAt;
      pending.resolve({ logits, windows, classes: pending.request.classes, timings: { queue, ...timings } });
    }
    this.#next();
  }

  /** Takes the run that is with the child off it. */
  #settle(): Pending | null {
    clearTimeout(this.#stall);
    const pending = this.#current;
    this.#current = null;
    return pending;
  }

  #cancel(pending: Pending): void {
    const at = this.#queue.indexOf(pending);
    if (at >= 0) this.#queue.splice(at, 1);
    else this.#keeper.link?.cancel(pending.id);
    pending.reject(cancellation(pending.options.signal));
  }

  #watch(): void {
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => {
      this.#log.warn({ run: this.#current?.request.runId }, 'the session process is silent and is ended');
      this.#keeper.link?.kill();
    }, this.#stallMilliseconds);
  }

  #rejectWaiting(error: ServiceError): void {
    for (const pending of this.#queue.splice(0)) pending.reject(error);
  }
}

function unavailable(message: string): ServiceError {
  return new ServiceError('runner_unavailable', message);
}

function stopping(): ServiceError {
  return unavailable('The runner is stopping.');
}

function cancellation(signal: AbortSignal | undefined): ServiceError {
  if (signal?.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The run was cancelled.');
}
