import { ServiceError } from '../../schemas/errors.ts';
import { BaseWeights, type RegistrableBase } from './base-weights.ts';
import { ChildKeeper, type SessionLog } from './child-keeper.ts';
import type { ChildLink } from './child-link.ts';
import { valuesOf, withRoom } from './decision.ts';
import { Exchange, takeValues, writeValues } from './exchange.ts';
import { CostModel, type WindowKind } from './scheduler/cost-model.ts';
import type { RunReply } from './session-messages.ts';
import type { PulseTimes, SessionHealth } from './session-pulse.ts';
import type { NetworkRunner, Provider, RunOptions, RunRequest, RunResult, WindowRequest } from './session-types.ts';
import { nextWaiting } from './waiting-runs.ts';
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
  /** Runs that share the device; the others wait for a place. */
  readonly maxActive?: number | undefined;
  /** For the windows of those sessions together; one that needs more alone is refused. Left out, there is no limit. */
  readonly memoryBytes?: number | undefined;
  /** A child that has a run and is silent for so long is killed. */
  readonly stallSeconds?: number | undefined;
  /** When a child counts as standing still. */
  readonly pulse?: PulseTimes | undefined;
  readonly log: SessionLog;
  /** Called for each window that the device has done. */
  readonly onWindow?: ((window: { readonly tenant: string; readonly milliseconds: number }) => void) | undefined;
}

const MAX_SESSIONS = 3;
const MAX_ACTIVE = 32;
/** A window of 192^3 at feature size 48 takes minutes on few CPU cores. */
const STALL_SECONDS = 1200;
/** Self-tests are one tenant, so that a flood of uploads takes one tenant's share of the device. No tenant's name has a space. */
const SELFTEST_TENANT = 'self test';

interface Pending extends Pick<RunResult, 'classes'> {
  readonly id: number;
  readonly tenant: string;
  readonly request: RunRequest;
  readonly options: RunOptions;
  readonly windowKind: WindowKind;
  readonly queuedAt: number;
  /** Whether a child has it: it is lost with that child. */
  sent: boolean;
  resolve(result: RunResult): void;
  reject(error: unknown): void;
}

/**
 * The parent's side of a device: sessions, windows and blending live in a child process, so that this process answers
 * while runs go on. The child shares the device between the runs that it has, up to `maxActive`; the others wait here,
 * so a child that dies takes only the runs it had, and the next child goes on with the others.
 */
export class SessionHost implements NetworkRunner {
  readonly #weights = new BaseWeights();
  readonly #exchange: Exchange;
  readonly #keeper: ChildKeeper;
  readonly #stallMilliseconds: number;
  readonly #memoryBytes: number;
  readonly #maxActive: number;
  readonly #log: SessionLog;
  readonly #onWindow: SessionHostOptions['onWindow'];
  readonly #costs = new CostModel();
  readonly #waiting = new Map<number, Pending>();
  readonly #active = new Map<number, Pending>();
  #stall: NodeJS.Timeout | undefined;
  #heardAt = performance.now();
  #nextId = 1;
  #closed = false;

  constructor(options: SessionHostOptions) {
    const { providers, threads = 0, maxSessions = MAX_SESSIONS, maxActive = MAX_ACTIVE, stallSeconds, log } = options;
    const { memoryBytes = Number.POSITIVE_INFINITY, onWindow } = options;
    this.#stallMilliseconds = 1000 * (stallSeconds ?? STALL_SECONDS);
    this.#memoryBytes = memoryBytes;
    this.#maxActive = maxActive;
    this.#log = log;
    this.#onWindow = onWindow;
    this.#exchange = new Exchange(Number.isFinite(memoryBytes) ? memoryBytes : 0);
    const events = {
      onReady: () => this.#next(),
      onReply: (reply: RunReply) => this.#onReply(reply),
      onLost: () => this.#onLost(),
      onGivenUp: (error: ServiceError) => this.#rejectWaiting(error),
    };
    const bases = () => this.#weights.all.values();
    const directories = [this.#weights.directory, this.#exchange.directory];
    const settings = { providers, threads, maxSessions, memoryBytes, directories };
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
    return this.#waiting.size + this.#active.size;
  }

  /** Milliseconds that the oldest of the waiting runs has waited for a place on the device; 0 where none waits. */
  get queueAge(): number {
    const [oldest] = this.#waiting.values();
    return oldest === undefined ? 0 : performance.now() - oldest.queuedAt;
  }

  /** Milliseconds since the child that has runs was heard of; 0 where it has none. */
  get silence(): number {
    return this.#stall === undefined ? 0 : performance.now() - this.#heardAt;
  }

  get childPid(): number | undefined {
    return this.#keeper.link?.pid;
  }

  /** Where weights lie that the child reads; it goes with the host. */
  get weightsFolder(): string {
    return this.#weights.directory;
  }

  windowMilliseconds(window: WindowKind): number | null {
    return this.#costs.measured(window)?.mean ?? null;
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
   * signal is aborted, while the device is free after the window it is in; with `deadline_exceeded` as soon as it cannot
   * be done in time; with `runner_unavailable` when the child dies under the run; with `channel_mismatch`,
   * `invalid_volume` or `invalid_adapter` for what cannot be fed, and `invalid_adapter` or, without one, `invalid_base`
   * for a window that takes more memory than there is.
   */
  async run(request: RunRequest, options: RunOptions = {}): Promise<RunResult> {
    const { signal, tenant = '' } = options;
    if (this.#closed) throw stopping();
    if (signal?.aborted === true) throw cancellation(signal);
    const windowKind = this.#checkRun(request);
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
    const pending: Pending = {
      id: this.#nextId++,
      tenant,
      request,
      options,
      windowKind,
      classes: request.classes,
      queuedAt: performance.now(),
      sent: false,
      resolve,
      reject,
    };
    const onAbort = () => this.#cancel(pending);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(pending.id, pending);
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
    const request: RunRequest = {
      runId: 'window',
      base,
      window,
      overlap: 0,
      blend: 'constant',
      adapter,
      volume: input,
      channels: architecture.in_channels,
      classes: adapter?.classes ?? architecture.out_channels,
      shape: window,
      decision: { kind: 'logits' },
    };
    const { decided } = await this.run(request, { tenant: SELFTEST_TENANT });
    if (decided.kind !== 'values') throw new Error('the run answered no logits');
    return decided.values;
  }

  /** The window of a run is checked before; that of a self-test comes here as it is. */
  #checkRun({ base, window, adapter, volume, channels, shape }: RunRequest): WindowKind {
    const registered = this.#weights.all.get(base);
    if (registered === undefined) throw new Error(`the base ${base} is not registered`);
    const { architecture } = registered;
    const fault = {
      code: adapter === null ? 'invalid_base' : 'invalid_adapter',
      path: 'manifest.selftest.roi_size',
    } as const;
    checkWindowMemory({ architecture, window }, this.#memoryBytes, fault);
    const values = channels * shape[0] * shape[1] * shape[2];
    if (volume.length !== values) throw new Error(`expected a volume of ${values} values, found ${volume.length}`);
    return { architecture, window, kind: adapter?.kind ?? 'head' };
  }

  /** Ends the child and rejects what is left with `runner_unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectWaiting(stopping());
    for (const pending of this.#active.values()) pending.reject(stopping());
    this.#active.clear();
    this.#heard();
    await this.#keeper.close();
    await Promise.all([this.#weights.removeAll(), this.#exchange.removeAll()]);
  }

  /** Gives the child runs while it has places. */
  #next(): void {
    const { link, up } = this.#keeper;
    if (link === null || !up) return;
    while (this.#active.size < this.#maxActive) {
      const pending = nextWaiting(this.#waiting.values(), this.#active.values());
      if (pending === null) return;
      this.#waiting.delete(pending.id);
      this.#active.set(pending.id, pending);
      void this.#send(link, pending);
    }
  }

  async #send(link: ChildLink, pending: Pending): Promise<void> {
    const { id, tenant, request, options } = pending;
    const { adapter, runId: _, volume, ...run } = request;
    const paths = this.#exchange.paths(id);
    try {
      await writeValues(paths.volume, volume);
    } catch (error) {
      if (this.#settle(id) !== null) pending.reject(error);
      return;
    }
    // Cancelled while its volume was written, or back among the waiting because that child died.
    if (!this.#active.has(id) && !this.#waiting.has(id)) return await this.#exchange.forget(id);
    if (!this.#active.has(id) || this.#keeper.link !== link) return;
    pending.sent = true;
    const deadline = options.deadline ?? Number.POSITIVE_INFINITY;
    link.run(id, { ...run, volumePath: paths.volume, decidedPath: paths.decided, tenant, deadline }, adapter);
    this.#watch();
  }

  #onReply(reply: RunReply): void {
    this.#heard();
    const pending = this.#active.get(reply.id);
    if (reply.type === 'progress') {
      if (pending === undefined) return;
      const { milliseconds, done, total } = reply;
      this.#costs.learn(pending.windowKind, milliseconds);
      this.#onWindow?.({ tenant: pending.tenant, milliseconds });
      pending.options.onProgress?.(done, total);
      return;
    }
    if (pending === undefined) void this.#exchange.forget(reply.id);
    else if (reply.type === 'done') void this.#finish(pending, reply);
    else {
      const { id, code, message } = reply;
      this.#settle(id);
      pending.reject(code === 'internal' ? new Error(message) : new ServiceError(code, message));
    }
  }

  async #finish(pending: Pending, reply: Extract<RunReply, { type: 'done' }>): Promise<void> {
    const { id, request, classes, queuedAt } = pending;
    // It is with the child no more, which may die now.
    this.#active.delete(id);
    this.#watch();
    this.#next();
    const ran = performance.now() - queuedAt;
    const { windows, timings } = reply;
    const queue = Math.max(0, ran - timings.fuse - timings.infer);
    try {
      const decided = withRoom(reply.decided, classes, request.shape);
      await takeValues(this.#exchange.paths(id).decided, valuesOf(decided));
      pending.resolve({ decided, windows, classes, timings: { queue, ...timings } });
    } catch (error) {
      pending.reject(this.#closed ? stopping() : error);
    }
  }

  /** The child is gone: the runs it had are lost, those on their way to it wait for the next one. */
  #onLost(): void {
    for (const pending of this.#active.values()) {
      if (pending.sent) {
        this.#settle(pending.id);
        pending.reject(unavailable('The session process ended during the run.'));
      } else {
        this.#active.delete(pending.id);
        this.#waiting.set(pending.id, pending);
      }
    }
    this.#heard();
  }

  /** Takes a run off the device, with its files. */
  #settle(id: number): Pending | null {
    const pending = this.#active.get(id) ?? null;
    if (pending === null) return null;
    this.#active.delete(id);
    void this.#exchange.forget(id);
    this.#watch();
    this.#next();
    return pending;
  }

  #cancel(pending: Pending): void {
    if (!this.#waiting.delete(pending.id)) {
      if (pending.sent) this.#keeper.link?.cancel(pending.id);
      this.#settle(pending.id);
    }
    pending.reject(cancellation(pending.options.signal));
  }

  /** The child said something: its silence begins anew. */
  #heard(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#watch();
  }

  /** Listens for silence while the child has runs; what else is sent to it or taken from it proves nothing. */
  #watch(): void {
    if (![...this.#active.values()].some(({ sent }) => sent)) {
      clearTimeout(this.#stall);
      this.#stall = undefined;
      return;
    }
    if (this.#stall !== undefined) return;
    this.#heardAt = performance.now();
    this.#stall = setTimeout(() => {
      const runs = [...this.#active.values()].map(({ request }) => request.runId);
      this.#log.warn({ runs }, 'the session process is silent and is ended');
      this.#keeper.link?.kill();
    }, this.#stallMilliseconds);
  }

  #rejectWaiting(error: ServiceError): void {
    for (const pending of this.#waiting.values()) pending.reject(error);
    this.#waiting.clear();
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
